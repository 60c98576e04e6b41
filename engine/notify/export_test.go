package notify

import (
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// When lets tests ask when a message may go out.
func When(now time.Time, cal *calendar.Calendar, site engine.Site, s engine.NotifySettings, isUrgent bool) time.Time {
	h := &house{now: now, cal: cal, site: site}
	return h.when(s, isUrgent, false)
}

// Mac is what all signatures are made of.
func Mac(key, text string) string { return mac([]byte(key), text) }
