package notify

import (
	"sync"

	"bihuan/engine"
)

// maxOpen bounds how many pages of one person are told at a time; the oldest gives way.
const maxOpen = 8

// Hub tells the open pages of this process that there is something new for their readers. It carries no content, so
// that a signal that is lost or doubled costs nothing but a look.
type Hub struct {
	mu     sync.Mutex
	pages  map[engine.UserID][]chan struct{}
	closed bool
}

// Tell signals every open page of the people.
func (h *Hub) Tell(users []engine.UserID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range users {
		for _, c := range h.pages[u] {
			select {
			case c <- struct{}{}:
			default: // a signal is waiting already
			}
		}
	}
}

// Open returns a channel that gets a signal when there is something new for the person, and is closed when the page
// has to go. leave must be called when the page has gone.
func (h *Hub) Open(user engine.UserID) (signals <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(c)
		return c, func() {}
	}
	if h.pages == nil {
		h.pages = map[engine.UserID][]chan struct{}{}
	}
	if list := h.pages[user]; len(list) >= maxOpen {
		close(list[0])
		h.pages[user] = list[1:]
	}
	h.pages[user] = append(h.pages[user], c)
	return c, func() { h.leave(user, c) }
}

func (h *Hub) leave(user engine.UserID, c chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, x := range h.pages[user] {
		if x == c {
			h.pages[user] = append(h.pages[user][:i:i], h.pages[user][i+1:]...)
			close(c)
			break
		}
	}
	if len(h.pages[user]) == 0 {
		delete(h.pages, user)
	}
}

// Close sends all pages away and takes no more: a server that stops must not wait for them.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, list := range h.pages {
		for _, c := range list {
			close(c)
		}
	}
	h.pages = nil
}
