package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"bihuan/api/problem"
)

// readyTimeout bounds the question whether the process can work, so that a hung database is an answer too.
const readyTimeout = 2 * time.Second

// healthz answers while the process lives.
func (s *Server) healthz(c *gin.Context) {
	c.JSON(http.StatusOK, gin.H{"status": "ok", "version": s.o.Version})
}

// readyz answers whether requests should be sent here. Why not is in the log: strangers read the answer. Warnings are
// words for whoever watches: requests are answered all the same.
func (s *Server) readyz(c *gin.Context) {
	var err error = errDraining
	if !s.draining.Load() {
		ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
		defer cancel()
		err = s.o.Ready(ctx)
	}
	if err != nil {
		s.o.Log.WarnContext(c.Request.Context(), "not ready", slog.Any("error", err))
		problem.Write(c.Writer, c.Request, &problem.Refusal{Status: http.StatusServiceUnavailable, Key: "api.not_ready", Err: err})
		return
	}
	answer := gin.H{"status": "ready"}
	if warnings := s.o.Warnings(); len(warnings) > 0 {
		answer["warnings"] = warnings
	}
	c.JSON(http.StatusOK, answer)
}

var errDraining = &problem.Refusal{Status: http.StatusServiceUnavailable, Key: "api.draining"}

// Drain makes readyz answer 503 from now on, so that the balancer sends no more requests. Those that come all the
// same are answered as ever.
func (s *Server) Drain() { s.draining.Store(true) }
