package api

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// A route without an entry in the access table, and an entry without a route, stop the start.
func TestCovered(t *testing.T) {
	var routes gin.RoutesInfo
	for r := range accessTable {
		routes = append(routes, gin.RouteInfo{Method: r.method, Path: r.path})
	}
	if err := covered(routes, accessTable); err != nil {
		t.Errorf("the table against itself: %v", err)
	}
	forgotten := append(routes, gin.RouteInfo{Method: "GET", Path: "/api/v1/secrets"})
	if err := covered(forgotten, accessTable); err == nil || !strings.Contains(err.Error(), "GET /api/v1/secrets has no entry") {
		t.Errorf("a forgotten route: %v", err)
	}
	more := maps.Clone(accessTable)
	more[route{"GET", "/api/v1/ghosts"}] = signedIn
	if err := covered(routes, more); err == nil || !strings.Contains(err.Error(), "/api/v1/ghosts, which does not exist") {
		t.Errorf("an entry without a route: %v", err)
	}
}

// Few things are open to everybody, and none of them is data.
func TestPublicRoutes(t *testing.T) {
	for r, a := range accessTable {
		switch {
		case a == public && (r.method != "GET" || strings.HasPrefix(r.path, "/api/") && r.path != "/api/v1/openapi.json"):
			t.Errorf("%s %s is public", r.method, r.path)
		case a != public && a != signedIn:
			t.Errorf("%s %s has the access %d", r.method, r.path, a)
		}
	}
}

func TestLimiter(t *testing.T) {
	now := time.Date(2026, 9, 24, 0, 0, 0, 0, time.UTC)
	l := newLimiter(2, func() time.Time { return now })
	for i := range 4 {
		if _, ok := l.allow("a"); !ok {
			t.Fatalf("request %d of a full bucket of 4 was refused", i+1)
		}
	}
	if wait, ok := l.allow("a"); ok || wait != 500*time.Millisecond {
		t.Errorf("an empty bucket: %v, %v", wait, ok)
	}
	if _, ok := l.allow("b"); !ok {
		t.Error("somebody else's bucket is empty too")
	}
	now = now.Add(500 * time.Millisecond)
	if _, ok := l.allow("a"); !ok {
		t.Error("nothing came back after the wait")
	}
	if _, ok := l.allow("a"); ok {
		t.Error("being refused cost nothing, and yet two came back")
	}
	for i := range 2 * maxBuckets {
		l.allow(fmt.Sprint(i))
	}
	if len(l.buckets) != maxBuckets || l.recent.Len() != maxBuckets {
		t.Errorf("%d buckets are remembered, %d in order", len(l.buckets), l.recent.Len())
	}
	unlimited := newLimiter(0, time.Now)
	for range 100 {
		if _, ok := unlimited.allow("a"); !ok {
			t.Fatal("refused without a limit")
		}
	}
}
