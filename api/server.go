// Package api is the product over HTTP: the console's pages, the JSON API under /api/v1, its documentation, health
// and metrics.
//
// What must always hold: every route stands in the access table below, or New fails; a caller is known before any
// handler runs; handlers decode, call the engine and encode, and hold nothing that writes besides the engine;
// every answer that is not a success says why in the reader's language, as a problem or, to a browser, as a page.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"bihuan/api/console"
	"bihuan/api/names"
	"bihuan/api/problem"
	"bihuan/api/upload"
	v1 "bihuan/api/v1"
	"bihuan/engine"
	"bihuan/engine/layout"
	"bihuan/engine/message"
	"bihuan/engine/score"
	"bihuan/engine/workbook"
)

func init() { gin.SetMode(gin.ReleaseMode) }

// access says who may use a route. What somebody may do there is the engine's to decide.
type access int

const (
	public   access = iota + 1 // anybody
	signedIn                   // whoever has an account; reading is bounded by scope
	page                       // the console is its own door: it knows people by their session
)

// route is a method and a path template as gin writes it.
type route struct{ method, path string }

// accessTable is every route there is but the console's, which lists its own (console.Routes).
var accessTable = map[route]access{
	{"GET", "/healthz"}:                                                     public,
	{"GET", "/readyz"}:                                                      public,
	{"GET", "/audit/checkpoint"}:                                            public,
	{"GET", "/audit/keys"}:                                                  public,
	{"GET", "/audit/tile/:level/*path"}:                                     public,
	{"GET", "/audit/verifier"}:                                              public,
	{"GET", "/docs"}:                                                        public,
	{"GET", "/docs/:file"}:                                                  public,
	{"GET", "/api/v1/openapi.json"}:                                         public,
	{"GET", "/api/v1/scores"}:                                               signedIn,
	{"GET", "/api/v1/scores/:unit"}:                                         signedIn,
	{"GET", "/api/v1/score-sheets"}:                                         signedIn,
	{"GET", "/api/v1/score-sheets/:sheet"}:                                  signedIn,
	{"GET", "/api/v1/sheet-proposals"}:                                      signedIn,
	{"POST", "/api/v1/sheet-proposals"}:                                     signedIn,
	{"GET", "/api/v1/sheet-proposals/:proposal"}:                            signedIn,
	{"POST", "/api/v1/sheet-proposals/:proposal/adoption"}:                  signedIn,
	{"POST", "/api/v1/sheet-proposals/:proposal/rejection"}:                 signedIn,
	{"POST", "/api/v1/sheet-proposals/:proposal/withdrawal"}:                signedIn,
	{"GET", "/api/v1/exports/ledger"}:                                       signedIn,
	{"GET", "/api/v1/exports/lists/:id"}:                                    signedIn,
	{"GET", "/api/v1/exports/units/:unit"}:                                  signedIn,
	{"POST", "/api/v1/projects"}:                                            signedIn,
	{"GET", "/api/v1/projects"}:                                             signedIn,
	{"GET", "/api/v1/projects/:id"}:                                         signedIn,
	{"PATCH", "/api/v1/projects/:id"}:                                       signedIn,
	{"POST", "/api/v1/projects/:id/acknowledge"}:                            signedIn,
	{"POST", "/api/v1/projects/:id/transitions"}:                            signedIn,
	{"POST", "/api/v1/projects/:id/approvals"}:                              signedIn,
	{"POST", "/api/v1/projects/:id/returns"}:                                signedIn,
	{"POST", "/api/v1/projects/:id/withdrawals"}:                            signedIn,
	{"POST", "/api/v1/projects/:id/extensions"}:                             signedIn,
	{"POST", "/api/v1/projects/:id/reports"}:                                signedIn,
	{"GET", "/api/v1/projects/:id/reports"}:                                 signedIn,
	{"POST", "/api/v1/projects/:id/milestones"}:                             signedIn,
	{"PUT", "/api/v1/projects/:id/milestones/:milestone"}:                   signedIn,
	{"DELETE", "/api/v1/projects/:id/milestones/:milestone"}:                signedIn,
	{"POST", "/api/v1/projects/:id/milestones/:milestone/done"}:             signedIn,
	{"POST", "/api/v1/projects/:id/evidence"}:                               signedIn,
	{"GET", "/api/v1/projects/:id/evidence"}:                                signedIn,
	{"GET", "/api/v1/projects/:id/evidence/:evidence"}:                      signedIn,
	{"POST", "/api/v1/projects/:id/urges"}:                                  signedIn,
	{"POST", "/api/v1/projects/:id/verifications"}:                          signedIn,
	{"POST", "/api/v1/projects/:id/surveys"}:                                signedIn,
	{"POST", "/api/v1/projects/:id/objections"}:                             signedIn,
	{"POST", "/api/v1/projects/:id/objections/:objection/answer"}:           signedIn,
	{"POST", "/api/v1/projects/:id/objections/:objection/erasure"}:          signedIn,
	{"DELETE", "/api/v1/projects/:id/objections/:objection/erasure"}:        signedIn,
	{"POST", "/api/v1/projects/:id/objections/:objection/erasure/approval"}: signedIn,
	{"POST", "/api/v1/projects/:id/look-backs"}:                             signedIn,
	{"POST", "/api/v1/projects/:id/findings"}:                               signedIn,
	{"POST", "/api/v1/projects/:id/findings/:finding/lift"}:                 signedIn,
	{"PUT", "/api/v1/projects/:id/statement"}:                               signedIn,
	{"PUT", "/api/v1/projects/:id/summary"}:                                 signedIn,
	{"GET", "/api/v1/projects/:id/entries"}:                                 signedIn,
	{"GET", "/api/v1/projects/:id/reminders"}:                               signedIn,
	{"POST", "/api/v1/imports/recognition"}:                                 signedIn,
	{"POST", "/api/v1/imports"}:                                             signedIn,
	{"GET", "/api/v1/mappings"}:                                             signedIn,
	{"DELETE", "/api/v1/mappings/:mapping"}:                                 signedIn,
	{"POST", "/api/v1/lists"}:                                               signedIn,
	{"GET", "/api/v1/lists"}:                                                signedIn,
	{"GET", "/api/v1/lists/:id"}:                                            signedIn,
	{"PUT", "/api/v1/lists/:id"}:                                            signedIn,
	{"POST", "/api/v1/lists/:id/items"}:                                     signedIn,
	{"PUT", "/api/v1/lists/:id/items/:project"}:                             signedIn,
	{"DELETE", "/api/v1/lists/:id/items/:project"}:                          signedIn,
	{"POST", "/api/v1/lists/:id/items/:project/carry-over"}:                 signedIn,
	{"POST", "/api/v1/lists/:id/publication"}:                               signedIn,
	{"POST", "/api/v1/lists/:id/reconciliation"}:                            signedIn,
	{"POST", "/api/v1/lists/:id/closing"}:                                   signedIn,
	{"GET", "/api/v1/projects/:id/poll"}:                                    signedIn,
	{"POST", "/api/v1/projects/:id/poll"}:                                   signedIn,
	{"POST", "/api/v1/projects/:id/poll/closing"}:                           signedIn,
	{"POST", "/api/v1/projects/:id/marks"}:                                  signedIn,
	{"POST", "/api/v1/projects/:id/marks/:mark/revocation"}:                 signedIn,
	{"GET", "/api/v1/marks"}:                                                signedIn,
	{"POST", "/api/v1/needs"}:                                               signedIn,
	{"GET", "/api/v1/needs"}:                                                signedIn,
	{"GET", "/api/v1/needs/:id"}:                                            signedIn,
	{"PUT", "/api/v1/needs/:id"}:                                            signedIn,
	{"POST", "/api/v1/needs/:id/acceptance"}:                                signedIn,
	{"POST", "/api/v1/needs/:id/answer"}:                                    signedIn,
	{"POST", "/api/v1/needs/:id/merge"}:                                     signedIn,
	{"POST", "/api/v1/needs/:id/telling"}:                                   signedIn,
	{"GET", "/api/v1/tallies"}:                                              signedIn,
	{"GET", "/api/v1/tally-years"}:                                          signedIn,
	{"POST", "/api/v1/tally-years"}:                                         signedIn,
	{"GET", "/api/v1/tally-years/:id"}:                                      signedIn,
	{"POST", "/api/v1/tally-years/:id/records"}:                             signedIn,
	{"POST", "/api/v1/tally-years/:id/confirmation"}:                        signedIn,
	{"POST", "/api/v1/tally-years/:id/rejection"}:                           signedIn,
	{"POST", "/api/v1/tally-years/:id/withdrawal"}:                          signedIn,
	{"POST", "/api/v1/tally-years/:id/striking"}:                            signedIn,
	{"GET", "/api/v1/notices"}:                                              signedIn,
	{"GET", "/api/v1/notices/count"}:                                        signedIn,
	{"POST", "/api/v1/notices/receipts"}:                                    signedIn,
	{"GET", "/api/v1/me/notify-settings"}:                                   signedIn,
	{"PUT", "/api/v1/me/notify-settings"}:                                   signedIn,
	{"GET", "/api/v1/channels"}:                                             signedIn,
	{"POST", "/api/v1/channels"}:                                            signedIn,
	{"GET", "/api/v1/channels/:id"}:                                         signedIn,
	{"PUT", "/api/v1/channels/:id"}:                                         signedIn,
	{"POST", "/api/v1/channels/:id/rotation"}:                               signedIn,
	{"POST", "/api/v1/channels/:id/tests"}:                                  signedIn,
	{"GET", "/api/v1/deliveries"}:                                           signedIn,
	{"POST", "/api/v1/deliveries/replays"}:                                  signedIn,
	{"GET", "/api/v1/audit/entries"}:                                        signedIn,
	{"GET", "/api/v1/audit/entries/:entry/proof"}:                           signedIn,
	{"GET", "/api/v1/audit/bundle"}:                                         signedIn,
	{"GET", "/api/v1/workflows"}:                                            signedIn,
	{"GET", "/api/v1/workflows/:workflow"}:                                  signedIn,
	{"PUT", "/api/v1/workflows/:workflow/switch"}:                           signedIn,
	{"GET", "/api/v1/workflows/:workflow/simulation"}:                       signedIn,
	{"GET", "/api/v1/workflows/:workflow/years/:year"}:                      signedIn,
	{"GET", "/api/v1/calendar"}:                                             signedIn,
	{"GET", "/api/v1/calendar/workdays"}:                                    signedIn,
	{"GET", "/api/v1/todo"}:                                                 signedIn,
	{"GET", "/api/v1/summary"}:                                              signedIn,
	{"GET", "/api/v1/units"}:                                                signedIn,
	{"GET", "/api/v1/users"}:                                                signedIn,
	{"GET", "/api/v1/users/:user/erasure"}:                                  signedIn,
	{"POST", "/api/v1/users/:user/erasure"}:                                 signedIn,
	{"DELETE", "/api/v1/users/:user/erasure"}:                               signedIn,
	{"POST", "/api/v1/users/:user/erasure/approval"}:                        signedIn,
	{"GET", "/api/v1/me"}:                                                   signedIn,
}

// Limits bound what one caller may ask. Zero values mean the defaults.
type Limits struct {
	Body   int64   // largest JSON body in bytes; 1 MiB
	Upload int64   // largest uploaded file in bytes; 32 MiB
	Rate   float64 // requests a second for each person; 0 for no limit
}

// Options is what a Server is made of.
type Options struct {
	Engine     *engine.Engine
	Reader     engine.Reader
	Files      upload.Files                                 // where evidence lies; storage/files implements it
	Graph      func(w *engine.Workflow, lang string) string // a definition as a Mermaid diagram
	Notifier   console.Notifier                             // tries channels out; nil: nobody does
	Ready      func(context.Context) error                  // database, schema, clock; nil: always ready
	Warnings   func() []string                              // what is not well though requests can be answered; nil: nothing ever
	Trail      Trail                                        // what everybody may have of it; nil: nothing
	Verifier   []byte                                       // the page that verifies bundles; nil: there is none
	Log        *slog.Logger                                 // nil: discarded
	Now        func() time.Time                             // nil: time.Now
	Language   string                                       // of readers who name none; "" is zh-CN
	Version    string                                       // of the program, for healthz and metrics
	Limits     Limits
	Collectors []prometheus.Collector // further metrics, such as the database's pools
	// Console lays the pages; nil: there are none. What it shares with the API is filled in.
	Console *console.Options
	// Sheets are the score sheets that the product brings along, first the one that holds until another is adopted;
	// ParseSheet reads others.
	Sheets     []*score.Sheet
	ParseSheet func(name string, source []byte) (*score.Sheet, error)
	// Layouts are those of exports; nil: the product's own. Site names the organisation on them; "": the first unit does.
	Layouts *layout.Layouts
	Site    string
}

// Server answers HTTP requests. Its listeners, their time-outs and their end are main's.
type Server struct {
	o        Options
	handler  *gin.Engine
	document []byte // OpenAPI
	access   map[route]access
	console  *console.Console // nil without pages
	scores   *score.Desk
	exports  *layout.Desk
	names    *names.Book
	uploads  map[string]bool // path templates whose bodies are files
	quiet    map[string]bool // path templates that are logged at debug level
	origin   *http.CrossOriginProtection
	limiter  *limiter
	metrics  *metrics
	draining atomic.Bool
}

// New makes a server, and fails when a route is not in the access table or the table names one that does not
// exist.
func New(o Options) (*Server, error) {
	if o.Engine == nil || o.Reader == nil || o.Files == nil || o.Graph == nil {
		return nil, errors.New("api: Engine, Reader, Files and Graph are needed")
	}
	o.defaults()
	m, err := newMetrics(o.Version, o.Collectors)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	s := &Server{o: o, names: names.New(o.Reader, o.Now), access: maps.Clone(accessTable), origin: http.NewCrossOriginProtection(), limiter: newLimiter(o.Limits.Rate, o.Now),
		metrics: m, uploads: map[string]bool{"/api/v1/projects/:id/evidence": true, "/api/v1/imports": true, "/api/v1/imports/recognition": true},
		quiet: map[string]bool{"/healthz": true, "/readyz": true, "/docs": true, "/docs/:file": true}}
	s.scores = score.NewDesk(o.Engine, o.Reader, o.Now, o.Sheets, o.ParseSheet)
	if o.Layouts == nil {
		if o.Layouts, err = layout.Load(nil); err != nil {
			return nil, err
		}
	}
	s.exports = &layout.Desk{Engine: o.Engine, Layouts: o.Layouts, Site: o.Site, After: func(ctx context.Context, b *workbook.Book, lang string) error {
		if s.o.Trail == nil {
			return nil
		}
		note, err := s.trail().Checkpoint(ctx)
		if err != nil {
			return err
		}
		return console.WriteCheckpoint(b, lang, note)
	}}
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

func (o *Options) defaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.Warnings == nil {
		o.Warnings = func() []string { return nil }
	}
	if o.Language == "" {
		o.Language = message.Languages[0]
	}
	if o.Limits.Body <= 0 {
		o.Limits.Body = 1 << 20
	}
	if o.Limits.Upload <= 0 {
		o.Limits.Upload = 32 << 20
	}
}

// Handler answers everything that is public.
func (s *Server) Handler() http.Handler { return s.handler }

// build lays the routes. The middleware stands in the order in which it runs.
func (s *Server) build() error {
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // an address is right or wrong; a redirected POST loses its body
	if err := e.SetTrustedProxies(nil); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	e.Use(s.observe, s.recoverPanic, secure)
	e.NoRoute(s.noRoute)
	e.NoMethod(s.noMethod)
	s.handler = e
	if err := s.layConsole(e); err != nil {
		return err
	}

	g := e.Group("", s.sameOrigin, s.bodyLimit, oneQuery, s.admit)
	g.GET("/healthz", s.healthz)
	g.GET("/readyz", s.readyz)
	s.layTrail(g)
	g.GET("/docs", s.docsPage)
	g.GET("/docs/:file", s.docsFile)
	g.GET("/api/v1/openapi.json", s.openapi)
	doc := humagin.NewWithGroup(e, g.Group(prefix), humaConfig())
	v1.Register(doc, v1.Options{Engine: s.o.Engine, Reader: s.o.Reader, Files: s.o.Files, Graph: s.o.Graph, Now: s.o.Now, Notifier: s.o.Notifier,
		Scores: s.scores, Exports: s.exports, Trail: s.trail(), Names: s.names, Log: s.o.Log, Body: s.o.Limits.Body, Upload: s.o.Limits.Upload})

	var err error
	if s.document, err = json.MarshalIndent(doc.OpenAPI(), "", "  "); err != nil {
		return fmt.Errorf("api: openapi: %w", err)
	}
	return covered(e.Routes(), s.access)
}

// layConsole lays the pages, if there are to be any.
func (s *Server) layConsole(e *gin.Engine) error {
	if s.o.Console == nil {
		return nil
	}
	o := *s.o.Console
	o.Engine, o.Reader, o.Files, o.Graph, o.Notifier = s.o.Engine, s.o.Reader, s.o.Files, s.o.Graph, s.o.Notifier
	o.Scores, o.ParseSheet, o.Exports = s.scores, s.o.ParseSheet, s.exports
	o.Trail, o.Names = s.trail(), s.names
	o.Offline = s.o.Verifier != nil
	o.Now, o.Log, o.Upload, o.Allow = s.o.Now, s.o.Log, s.o.Limits.Upload, s.limiter.allow
	var err error
	if s.console, err = console.New(o); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	s.console.Register(e)
	for _, r := range console.Routes() {
		s.access[route{r.Method, r.Path}] = page
		if strings.HasPrefix(r.Path, "/assets/") {
			s.quiet[r.Path] = true
		}
	}
	return nil
}

// prefix is where the JSON API lies.
const prefix = "/api/v1"

// humaConfig is huma without what it would do by itself: pages from outside addresses, links into schemas, and
// quiet acceptance of parameters that nobody knows.
func humaConfig() huma.Config {
	c := huma.DefaultConfig("闭环 Bihuan", "1")
	c.Info.Description = "项目闭环督办：谋划 → 部署 → 推进 → 跟踪 → 反馈 → 达效 → 销号。 " +
		"Every change needs If-Match with the version that it is based on; Idempotency-Key makes a repeat safe."
	c.Servers = []*huma.Server{{URL: prefix}}
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.RejectUnknownQueryParameters = true
	c.Formats = map[string]huma.Format{"application/json": problem.JSON, "json": problem.JSON}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "Authorization: Bearer bh_…"},
	}
	c.Security = []map[string][]string{{"token": {}}}
	c.OnAddOperation = []huma.AddOpFunc{v1.Document}
	return c
}

// covered compares the routes with the access table, both ways.
func covered(routes gin.RoutesInfo, table map[route]access) error {
	var errs []error
	seen := map[route]bool{}
	for _, r := range routes {
		key := route{r.Method, r.Path}
		seen[key] = true
		if table[key] == 0 {
			errs = append(errs, fmt.Errorf("api: %s %s has no entry in the access table", r.Method, r.Path))
		}
	}
	for key := range table {
		if !seen[key] {
			errs = append(errs, fmt.Errorf("api: the access table names %s %s, which does not exist", key.method, key.path))
		}
	}
	return errors.Join(errs...)
}

// openapi serves the document.
func (s *Server) openapi(c *gin.Context) {
	c.Data(http.StatusOK, "application/openapi+json", s.document)
}
