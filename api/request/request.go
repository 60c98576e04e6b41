// Package request carries what belongs to one HTTP request through its context: its id, the reader's language,
// and who is calling. It is filled in on the way in, by the middleware, before any handler reads it.
package request

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"bihuan/engine"
	"bihuan/engine/message"
)

// Info is what is known of one request. The middleware alone writes it.
type Info struct {
	ID     string // as in the log, the audit entry and the answer's X-Request-Id
	Method string
	Path   string // as called, with its ids
	Lang   string // one of message.Languages
	Log    *slog.Logger
	Actor  engine.Actor // the zero value while nobody is signed in
	User   engine.User
}

type key struct{}

// With returns a context that carries info.
func With(ctx context.Context, info *Info) context.Context {
	return context.WithValue(ctx, key{}, info)
}

// From returns the request's info, or an empty one outside a request, so that callers need no nil check.
func From(ctx context.Context) *Info {
	if info, ok := ctx.Value(key{}).(*Info); ok {
		return info
	}
	return &Info{Lang: message.Languages[0], Log: slog.New(slog.DiscardHandler)}
}

// maxID is the longest request id that is taken over from a caller.
const maxID = 64

// SaneID reports whether a caller's X-Request-Id may be taken over: what ends up in logs and in audit entries
// must not be able to break either.
func SaneID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// Language picks the reader's language from an Accept-Language header: the one of ours with the highest weight,
// the first of equals; fallback where the header names none.
func Language(header, fallback string) string {
	best, lang := 0.0, fallback
	for part := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag = strings.ToLower(strings.TrimSpace(tag))
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			w, err := strconv.ParseFloat(q, 64)
			if err != nil {
				continue
			}
			weight = w
		}
		ours := tag == "en" || tag == "zh" || strings.HasPrefix(tag, "en-") || strings.HasPrefix(tag, "zh-")
		if ours && weight > best {
			best, lang = weight, message.Match(tag)
		}
	}
	return lang
}
