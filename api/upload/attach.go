package upload

import (
	"io"
	"net/http"
	"time"
)

// exportTime is how long an export may take to reach its reader; a million rows take about a minute.
const exportTime = 10 * time.Minute

// attaching is a body whose head is sent with its first byte, so that what fails before is answered as any other failure.
type attaching struct {
	http.ResponseWriter
	mediaType, name string
	begun           bool
}

// Attach answers with a file of this name (ASCII, without quotes) as it is written.
func Attach(w http.ResponseWriter, mediaType, name string) io.Writer {
	a := &attaching{ResponseWriter: w, mediaType: mediaType, name: name}
	a.giveTime()
	return a
}

// giveTime begins the time anew: when the file is asked for, and with its first byte, before which it may have had to wait.
// Without it the server's own limit holds, which is enough for all but the largest.
func (a *attaching) giveTime() {
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(exportTime))
}

func (a *attaching) Write(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		a.giveTime()
		a.Header().Set("Content-Type", a.mediaType)
		a.Header().Set("Content-Disposition", `attachment; filename="`+a.name+`"`)
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}
