package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"golang.org/x/mod/sumdb/tlog"

	"bihuan/api/problem"
	"bihuan/api/proof"
	"bihuan/api/verifier"
	"bihuan/engine"
)

// Trail is the Merkle log. Everybody may have the newest checkpoint, the keys that sign checkpoints, and the hashes:
// nothing of these tells what an entry says, because entries hold random ids, so that nobody can guess one and compare.
// Proofs and bundles, which do, are for those who may see what they are about.
type Trail interface {
	proof.Log
	// Tile returns the first width hashes of a tile, or engine.ErrNotFound where the log is not that large.
	Tile(ctx context.Context, level int, n int64, width int) ([]byte, error)
}

// trail is the log for proofs, nil if there is none.
func (s *Server) trail() proof.Log {
	if s.o.Trail == nil {
		return nil
	}
	return s.o.Trail
}

// layTrail lays the read-only log as C2SP tlog-tiles has it, under /audit, without the entries.
func (s *Server) layTrail(g *gin.RouterGroup) {
	g.GET("/audit/checkpoint", s.trailText(func(ctx context.Context) ([]byte, error) { return s.o.Trail.Checkpoint(ctx) }))
	g.GET("/audit/keys", s.trailText(func(ctx context.Context) ([]byte, error) {
		keys, err := s.o.Trail.Keys(ctx)
		if err != nil || len(keys) == 0 {
			return nil, err
		}
		return []byte(strings.Join(keys, "\n") + "\n"), nil
	}))
	g.GET("/audit/tile/:level/*path", s.tile)
	g.GET("/audit/verifier", s.verifier)
}

// verifier hands out the page that verifies bundles without this server. It is for saving and not for looking at here:
// where it came from is what an inspector must not have to trust.
func (s *Server) verifier(c *gin.Context) {
	if s.o.Verifier == nil {
		s.noRoute(c)
		return
	}
	c.Header("Content-Disposition", `attachment; filename="`+verifier.Name+`"`)
	c.Data(http.StatusOK, "text/html; charset=utf-8", s.o.Verifier)
}

// trailText answers with a text, or 404 where there is none.
func (s *Server) trailText(read func(context.Context) ([]byte, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s.o.Trail == nil {
			s.noRoute(c)
			return
		}
		text, err := read(c.Request.Context())
		switch {
		case err != nil:
			problem.Write(c.Writer, c.Request, err)
		case text == nil:
			s.noRoute(c)
		default:
			c.Data(http.StatusOK, "text/plain; charset=utf-8", text)
		}
	}
}

func (s *Server) tile(c *gin.Context) {
	// The path is that of tlog without the height, which is always 8.
	t, err := tlog.ParseTilePath("tile/8/" + c.Param("level") + c.Param("path"))
	if err != nil || t.L < 0 || s.o.Trail == nil {
		s.noRoute(c)
		return
	}
	b, err := s.o.Trail.Tile(c.Request.Context(), t.L, t.N, t.W)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		s.noRoute(c)
	case err != nil:
		problem.Write(c.Writer, c.Request, err)
	default:
		c.Data(http.StatusOK, "application/octet-stream", b)
	}
}
