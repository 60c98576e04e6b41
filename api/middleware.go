package api

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"bihuan/api/problem"
	"bihuan/api/request"
	"bihuan/engine"
)

// refuse ends a request with a problem.
func refuse(c *gin.Context, err error) {
	problem.Write(c.Writer, c.Request, err)
	c.Abort()
}

// observe gives the request its id and language, and logs and counts it when it is answered: by the route's
// template, never the address, and without bodies or tokens. It stands outside recover, so that a request that
// panicked is seen with its 500.
func (s *Server) observe(c *gin.Context) {
	start := time.Now()
	id := c.GetHeader("X-Request-Id")
	if !request.SaneID(id) {
		id = uuid.Must(uuid.NewV7()).String()
	}
	info := &request.Info{ID: id, Method: c.Request.Method, Path: c.Request.URL.Path, Lang: request.Language(c.GetHeader("Accept-Language"), s.o.Language),
		Log: s.o.Log}
	c.Request = c.Request.WithContext(request.With(c.Request.Context(), info))
	c.Writer.Header().Set("X-Request-Id", id)

	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	c.Next()

	took, status, route := time.Since(start), c.Writer.Status(), c.FullPath()
	s.metrics.answered(c.Request.Method, route, status, took)
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case s.quiet[route]:
		level = slog.LevelDebug
	}
	ctx := c.Request.Context()
	if !s.o.Log.Enabled(ctx, level) {
		return
	}
	s.o.Log.LogAttrs(ctx, level, "request", slog.String("request", id), slog.String("method", c.Request.Method),
		slog.String("route", route), slog.Int("status", status), slog.Duration("took", took),
		slog.Int("bytes", max(0, c.Writer.Size())), slog.String("user", string(info.User.ID)))
}

// recoverPanic answers a panic like any other fault of ours.
func (s *Server) recoverPanic(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v) // the handler's way to cut the connection
		}
		ctx := c.Request.Context()
		s.o.Log.ErrorContext(ctx, "panic", slog.String("request", request.From(ctx).ID), slog.Any("panic", v),
			slog.String("stack", string(debug.Stack())))
		if c.Writer.Written() {
			c.Abort()
			return
		}
		c.Writer.Header().Del("ETag")
		if s.access[route{c.Request.Method, c.FullPath()}] == page {
			s.console.Fail(c, errors.New("panic"))
			c.Abort()
			return
		}
		refuse(c, &problem.Refusal{Status: http.StatusInternalServerError, Key: "api.internal",
			Args: map[string]any{"request": request.From(ctx).ID}})
	}()
	c.Next()
}

// sameOrigin keeps pages of other sites from changing anything through somebody's browser.
func (s *Server) sameOrigin(c *gin.Context) {
	if err := s.origin.Check(c.Request); err != nil {
		refuse(c, &problem.Refusal{Status: http.StatusForbidden, Key: "api.cross_origin", Err: err})
	}
}

// Header values that every answer carries; the maps below share them and nobody writes to them.
var (
	nosniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	noStore    = []string{"no-store"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// secure sets the headers that keep an answer from being taken for something else, framed or stored.
func secure(c *gin.Context) {
	h := c.Writer.Header()
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Content-Security-Policy"] = noContent
	h["Cache-Control"] = noStore
}

// bodyLimit refuses bodies that say that they are too large, and cuts off those that don't say.
func (s *Server) bodyLimit(c *gin.Context) {
	limit := s.o.Limits.Body
	if s.uploads[c.FullPath()] {
		limit = s.o.Limits.Upload + multipartRoom
	}
	if c.Request.ContentLength > limit {
		refuse(c, problem.TooLarge(limit))
		return
	}
	if c.Request.Body != nil {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	}
}

// multipartRoom is what the other parts of an upload may take.
const multipartRoom = 64 << 10

// oneQuery refuses a query that cannot be read, and a parameter given twice: both would otherwise be dropped in
// silence, and a filter that is dropped shows too much.
func oneQuery(c *gin.Context) {
	if c.Request.URL.RawQuery == "" {
		return
	}
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		refuse(c, &problem.Refusal{Status: http.StatusUnprocessableEntity, Key: "api.bad_query", Err: err})
		return
	}
	for name, list := range values {
		if len(list) > 1 {
			refuse(c, &problem.Refusal{Status: http.StatusUnprocessableEntity, Field: name, Key: "api.twice"})
			return
		}
	}
}

// admit looks the route up in the access table and, where that asks for it, who is calling. A route that the
// table does not know is closed. The token comes from the header alone, never from a cookie or the address.
func (s *Server) admit(c *gin.Context) {
	path := c.FullPath()
	if path == "" {
		return // no such route: the answer is 404 or 405 for everybody
	}
	switch s.access[route{c.Request.Method, path}] {
	case public:
		return
	case signedIn:
	default:
		refuse(c, &problem.Refusal{Status: http.StatusForbidden, Key: "api.closed"})
		return
	}
	scheme, secret, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		s.unauthorized(c, "api.sign_in")
		return
	}
	ctx := c.Request.Context()
	info := request.From(ctx)
	actor, user, err := s.o.Engine.Bearer(ctx, strings.TrimSpace(secret), engine.ViaAPI, info.ID)
	if engine.KindOf(err) == engine.Denied {
		s.unauthorized(c, "token.invalid")
		return
	}
	if err != nil {
		refuse(c, err)
		return
	}
	info.Actor, info.User = actor, user
	if wait, ok := s.limiter.allow(string(user.ID)); !ok {
		seconds := int((wait + time.Second - 1) / time.Second)
		c.Writer.Header().Set("Retry-After", strconv.Itoa(seconds))
		refuse(c, &problem.Refusal{Status: http.StatusTooManyRequests, Key: "api.busy", Args: map[string]any{"seconds": seconds}})
	}
}

func (s *Server) unauthorized(c *gin.Context, key string) {
	c.Writer.Header().Set("WWW-Authenticate", `Bearer realm="bihuan"`)
	refuse(c, &problem.Refusal{Status: http.StatusUnauthorized, Key: key})
}

// wantsPage tells whether a browser asks for something that could be a page.
func (s *Server) wantsPage(c *gin.Context) bool {
	return s.console != nil && strings.Contains(c.GetHeader("Accept"), "text/html") && !strings.HasPrefix(c.Request.URL.Path, "/api/")
}

// noRoute answers an address that does not exist, browsers with a page.
func (s *Server) noRoute(c *gin.Context) {
	if s.wantsPage(c) {
		s.console.NotFound(c)
		return
	}
	noRoute(c)
}

func noRoute(c *gin.Context) {
	refuse(c, &problem.Refusal{Status: http.StatusNotFound, Key: "api.no_route"})
}

// noMethod answers a method that an address does not have; gin has set Allow.
func (s *Server) noMethod(c *gin.Context) {
	if c.Request.Method == http.MethodGet && s.wantsPage(c) {
		s.console.OnlyPosted(c)
		return
	}
	refuse(c, &problem.Refusal{Status: http.StatusMethodNotAllowed, Key: "api.no_method"})
}
