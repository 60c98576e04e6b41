package console

import (
	"net/http"
	"time"

	"bihuan/engine"
)

// Live tells open pages that there is something new for their readers; notify.Hub implements it.
type Live interface {
	Open(user engine.UserID) (signals <-chan struct{}, leave func())
}

const (
	// heartbeat keeps proxies from closing a quiet connection, and is how long a session that is over is still told.
	heartbeat = 25 * time.Second
	// liveWrite bounds one write, because a stream has no end that the server's own limit could be about.
	liveWrite = 10 * time.Second
)

// events is a stream of signals: look again, there is something new. Pages that cannot keep it open ask by themselves
// now and then.
func (c *Console) events(v *visit) error {
	if c.Live == nil {
		return &engine.Error{Kind: engine.NotFound, Key: "console.error.no_page"}
	}
	signals, leave := c.Live.Open(v.actor.ID)
	defer leave()
	h := v.g.Writer.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(v.g.Writer)
	write := func(text string) bool {
		if control.SetWriteDeadline(time.Now().Add(liveWrite)) != nil {
			return false
		}
		if _, err := v.g.Writer.WriteString(text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	v.g.Status(http.StatusOK)
	if !write("retry: 5000\n\n") {
		return nil
	}
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		text := ": \n\n"
		select {
		case <-v.ctx.Done():
			return nil
		case _, open := <-signals:
			if !open {
				return nil
			}
			text = "event: told\ndata: 1\n\n"
		case <-ticker.C:
			again := c.visit(v.g)
			if err := c.recognise(again); err != nil || again.user.ID != v.user.ID {
				return nil // the session is over, and so is the stream
			}
		}
		if !write(text) {
			return nil
		}
	}
}
