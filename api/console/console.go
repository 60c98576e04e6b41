// Package console is the product's pages: rendered on the server, working without script, made faster by htmx.
//
// What must always hold: a page decides nothing. What somebody may do, what is missing and why is asked of
// engine.Explain, and every change goes through engine.Do with the version that the reader saw; so two people can
// never overwrite each other, and no typed text is lost to a refusal. Whatever people wrote reaches a page through
// html/template alone. No answer holds inline style or script, because the policy of every page forbids both.
//
// A page is a Go file and a template of the same name: the Go file reads, fills a typed view and renders it.
// To add one: a row in routes, a view struct, a handler, templates/<name>.html with "main", keys in
// engine/message/*/console.yaml, and a case in the tests' table of pages.
package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"bihuan/api/auth"
	"bihuan/api/names"
	"bihuan/api/proof"
	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/layout"
	"bihuan/engine/score"
)

// Door signs people in and out; auth.Door implements it. A session is named by the value of a cookie, which the
// console sets.
type Door interface {
	// SignIn opens a session. A wrong name or password, or too many tries, is an *engine.Error that people can read.
	SignIn(ctx context.Context, login, password, addr string) (cookie string, user engine.User, err error)
	// Actor tells who holds the session. An *engine.Error of kind Denied means that it is over; one of kind Required with
	// auth.ErrMustChange, auth.ErrCode or auth.ErrEnrol within, that its user has to do this before anything else.
	Actor(ctx context.Context, cookie string) (engine.Actor, engine.User, error)
	// SignOut ends the session; one that is over already is no error.
	SignOut(ctx context.Context, cookie string) error
	// ChangePassword ends all of the user's sessions and returns the cookie of a new one.
	ChangePassword(ctx context.Context, cookie, present, next string) (string, error)
	// Reset gives somebody a one-time password and returns it; EndAll ends every session of theirs. Whoever may not is
	// refused, and the refusal recorded.
	Reset(ctx context.Context, who engine.Actor, user engine.UserID) (string, error)
	EndAll(ctx context.Context, who engine.Actor, user engine.UserID) (int, error)
	// Fresh tells whether nobody has an account yet.
	Fresh(ctx context.Context) (bool, error)
	// SetUp makes the root unit and the first administrator with a one-time token.
	SetUp(ctx context.Context, f auth.First) (engine.User, engine.Unit, error)
	Codes
	Sittings
	Ways
}

// Tray is where a ledger waits between its preview and the import; storage/files implements it.
type Tray interface {
	// SetAside keeps a file for a person for a while and returns the ticket by which they, and nobody else, get it back.
	SetAside(ctx context.Context, owner, name string, data []byte) (ticket string, err error)
	// Aside returns a file that the person set aside; engine.ErrNotFound if it is gone.
	Aside(owner, ticket string) (name string, data []byte, err error)
}

// Seat is one of the demo's people, into whose chair a visitor may sit.
type Seat struct {
	Login, Name string
	Title       engine.Text // what they are
}

// Seats lets a demo's visitors change who they are. A real installation has none.
type Seats interface {
	Seats() []Seat
	// Sit opens a session for the login without a password, and refuses every login that is not in Seats.
	Sit(ctx context.Context, login, addr string) (cookie string, err error)
	// Pass lets days go by in the demo, so that what takes days can be seen at once.
	Pass(ctx context.Context, days int) error
}

// Options is what a Console is made of.
type Options struct {
	Engine *engine.Engine
	Reader engine.Reader
	Files  upload.Files
	Tray   Tray
	Door   Door
	Seats  Seats // nil outside the demo
	Views  Views // nil: nobody saves views of the ledger
	// Notifier tries channels out.
	Notifier  Notifier
	Live      Live                                         // nil: pages look by themselves now and then
	PublicURL string                                       // where addresses for elsewhere lead (calendars, rating links); "": where the reader is
	Graph     func(w *engine.Workflow, lang string) string // a definition as a Mermaid diagram, shown as text
	// Compare lists what two versions of a definition say differently; workflows.Compare does it.
	Compare func(before, after *engine.Workflow) []Difference
	// Verify looks at the trail and the rows that it explains, of one project or ("") of all; progress hears of the
	// entries read. storage's Verify does it.
	Verify func(ctx context.Context, project engine.ProjectID, progress func(entries int64)) (Verification, error)
	Trail  proof.Log   // nil: pages say nothing about proofs
	Scores *score.Desk // what the 考核 is asked of
	// Exports takes ledgers, lists and units' years out.
	Exports *layout.Desk
	Names   *names.Book // nil: one of its own
	Offline bool        // there is a page to save that verifies bundles, at /audit/verifier
	// Tallies are the yearly counts that the product brings along; workflows.Tallies.
	Tallies []engine.Tally
	// ParseSheet reads a score sheet that somebody wants to try; its mistakes know their sentences.
	ParseSheet func(name string, source []byte) (*score.Sheet, error)
	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: discarded
	Upload     int64            // largest file in bytes; 0: 32 MiB
	// Allow says how long a person has to wait for the next request, if at all; nil: never.
	Allow func(user string) (wait time.Duration, ok bool)
	Board bool   // the public board is switched on
	Site  string // name of the organisation, shown beside the logo; may be empty
}

// Console answers with pages.
type Console struct {
	Options
	assets *assets
	polls  sync.Map // of limiters, by poll
	shown  boards
	pages  map[string]map[string]*page // by language and name
	names  named
	origin *http.CrossOriginProtection
	// turn is that of the verification of everything, checking holds one while a project is verified.
	turn     turn
	checking chan struct{}
}

// New makes a console; it fails when a template is broken.
func New(o Options) (*Console, error) {
	if o.Engine == nil || o.Reader == nil || o.Files == nil || o.Tray == nil || o.Door == nil || o.Graph == nil || o.Verify == nil || o.Compare == nil || o.Scores == nil || o.Exports == nil || o.ParseSheet == nil {
		return nil, errors.New("console: Engine, Reader, Files, Tray, Door, Graph, Verify, Compare, Scores, Exports and ParseSheet are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Upload <= 0 {
		o.Upload = 32 << 20
	}
	if o.Names == nil {
		o.Names = names.New(o.Reader, o.Now)
	}
	c := &Console{Options: o, names: named{o.Names}, origin: http.NewCrossOriginProtection(), checking: make(chan struct{}, 1)}
	var err error
	if c.assets, err = loadAssets(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if c.pages, err = parsePages(c.assets); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return c, nil
}

// Route is one of the console's addresses.
type Route struct {
	Method, Path string
	Open         bool // answers people who are not signed in
	Upload       bool // its body may be a file of Options.Upload bytes
	handle       func(*Console, *visit) error
}

// routes is every address there is.
var routes = []Route{
	{"GET", "/", false, false, (*Console).home},
	{"GET", "/assets/:file", true, false, (*Console).asset},
	{"GET", "/sign-in", true, false, (*Console).signInPage},
	{"POST", "/sign-in", true, false, (*Console).signIn},
	{"GET", "/sign-in/code", true, false, (*Console).codePage},
	{"POST", "/sign-in/code", true, false, (*Console).giveCode},
	{"GET", "/sign-in/:way", true, false, (*Console).leaveFor},
	{"GET", "/sign-in/:way/callback", true, false, (*Console).comeBack},
	{"POST", "/sign-in/:way/callback", true, false, (*Console).signedOut},
	{"GET", "/account/link/:way", false, false, (*Console).linkWay},
	{"POST", "/account/unlink", false, false, (*Console).unlinkWay},
	{"GET", "/prove", true, false, (*Console).provePage},
	{"POST", "/prove", true, false, (*Console).prove},
	{"GET", "/account", false, false, (*Console).account},
	{"POST", "/account/sessions/end", false, false, (*Console).endSitting},
	{"POST", "/account/tokens", false, false, (*Console).issueToken},
	{"POST", "/account/tokens/revoke", false, false, (*Console).revokeToken},
	{"GET", "/account/totp", true, false, (*Console).totpPage},
	{"POST", "/account/totp", true, false, (*Console).enrol},
	{"POST", "/account/totp/codes", true, false, (*Console).renewRecovery},
	{"POST", "/account/totp/remove", true, false, (*Console).removeSeed},
	{"POST", "/sign-out", true, false, (*Console).signOut},
	{"GET", "/set-up", true, false, (*Console).setUpPage},
	{"POST", "/set-up", true, false, (*Console).setUp},
	{"GET", "/password", true, false, (*Console).passwordPage},
	{"POST", "/password", true, false, (*Console).changePassword},
	{"POST", "/seat", true, false, (*Console).sit},
	{"POST", "/settings", true, false, (*Console).settings},
	{"GET", "/overview", false, false, (*Console).overview},
	{"GET", "/scores", false, false, (*Console).scores},
	{"GET", "/scores.xlsx", false, false, (*Console).scoresXLSX},
	{"GET", "/scores/compare", false, false, (*Console).compareScores},
	{"POST", "/scores/compare", false, false, (*Console).trySheet},
	{"GET", "/scores/sheets", false, false, (*Console).sheets},
	{"POST", "/scores/sheets", false, false, (*Console).proposeSheet},
	{"GET", "/scores/sheets/:sheet", false, false, (*Console).sheetSource},
	{"POST", "/scores/sheets/:sheet/:act", false, false, (*Console).decideSheet},
	{"GET", "/scores/:unit", false, false, (*Console).score},
	{"GET", "/todo", false, false, (*Console).todo},
	{"GET", "/todo/count", false, false, (*Console).todoCount},
	{"POST", "/todo/:id", false, false, (*Console).decide},
	{"GET", "/ledger", false, false, (*Console).ledger},
	{"GET", "/ledger/counts", false, false, (*Console).ledgerCounts},
	{"GET", "/ledger.csv", false, false, (*Console).ledgerCSV},
	{"GET", "/ledger.xlsx", false, false, (*Console).ledgerXLSX},
	{"GET", "/ledger/export.xlsx", false, false, (*Console).takeLedger},
	{"POST", "/ledger/batch", false, false, (*Console).batch},
	{"POST", "/ledger/columns", false, false, (*Console).keepColumns},
	{"POST", "/ledger/views", false, false, (*Console).saveView},
	{"POST", "/ledger/views/remove", false, false, (*Console).removeView},
	{"GET", "/notices", false, false, (*Console).notices},
	{"GET", "/notices/count", false, false, (*Console).unread},
	{"POST", "/notices/read", false, false, (*Console).readNotices},
	{"GET", "/notices/settings", false, false, (*Console).mySettings},
	{"POST", "/notices/settings", false, false, (*Console).saveMySettings},
	{"POST", "/notices/feed", false, false, (*Console).changeFeed},
	{"GET", "/feeds/:token/deadlines.ics", true, false, (*Console).feed},
	{"GET", "/events", false, false, (*Console).events},
	{"GET", "/channels", false, false, (*Console).channels},
	{"GET", "/channels/new", false, false, (*Console).newChannel},
	{"POST", "/channels", false, false, (*Console).saveChannel},
	{"GET", "/channels/:id", false, false, (*Console).channel},
	{"POST", "/channels/:id", false, false, (*Console).saveChannel},
	{"POST", "/channels/:id/test", false, false, (*Console).testChannel},
	{"GET", "/wordings", false, false, (*Console).wordings},
	{"POST", "/wordings", false, false, (*Console).saveWording},
	{"GET", "/deliveries", false, false, (*Console).deliveries},
	{"POST", "/deliveries/replay", false, false, (*Console).replay},
	{"GET", "/new", false, false, (*Console).newPage},
	{"POST", "/new", false, false, (*Console).create},
	{"GET", "/import", false, false, (*Console).importPage},
	{"POST", "/import", false, true, (*Console).importUpload},
	{"GET", "/import/:ticket", false, false, (*Console).importPreview},
	{"POST", "/import/:ticket", false, false, (*Console).importConfirm},
	{"GET", "/import/:ticket/columns", false, false, (*Console).importColumns},
	{"POST", "/import/:ticket/columns", false, false, (*Console).chooseColumns},
	{"POST", "/import/forget", false, false, (*Console).forgetSource},
	{"GET", "/projects/:id", false, false, (*Console).project},
	{"GET", "/projects/:id/certificate", false, false, (*Console).certificate},
	{"GET", "/projects/:id/edit", false, false, (*Console).editPage},
	{"POST", "/projects/:id/edit", false, false, (*Console).edit},
	{"POST", "/projects/:id/do/:act", false, false, (*Console).act},
	{"POST", "/projects/:id/evidence", false, true, (*Console).upload},
	{"GET", "/projects/:id/evidence/:evidence", false, false, (*Console).download},
	{"GET", "/projects/:id/evidence/:evidence/picture", false, false, (*Console).picture},
	{"GET", "/board", true, false, (*Console).board},
	{"GET", "/board/:id", true, false, (*Console).boardList},
	{"GET", "/r/:token", true, false, (*Console).rating},
	{"POST", "/r/:token", true, false, (*Console).vote},
	{"POST", "/projects/:id/poll", false, false, (*Console).openPoll},
	{"GET", "/lists", false, false, (*Console).lists},
	{"GET", "/lists/new", false, false, (*Console).newListPage},
	{"POST", "/lists/new", false, false, (*Console).drawUp},
	{"GET", "/lists/:id", false, false, (*Console).list},
	{"GET", "/lists/:id/edit", false, false, (*Console).listEditPage},
	{"POST", "/lists/:id/edit", false, false, (*Console).listEdit},
	{"GET", "/lists/:id/close", false, false, (*Console).closingPage},
	{"GET", "/lists/:id/carry/:project", false, false, (*Console).carryPage},
	{"POST", "/lists/:id/carry/:project", false, false, (*Console).carry},
	{"POST", "/lists/:id/do/:act", false, false, (*Console).listAct},
	{"GET", "/lists/:id/bulletin", false, false, (*Console).bulletin},
	{"GET", "/lists/:id/bulletin.xlsx", false, false, (*Console).bulletinXLSX},
	{"GET", "/lists/:id/list.xlsx", false, false, (*Console).takeList},
	{"GET", "/marks", false, false, (*Console).marks},
	{"GET", "/marks.xlsx", false, false, (*Console).marksXLSX},
	{"GET", "/needs", false, false, (*Console).needs},
	{"GET", "/needs/new", false, false, (*Console).newNeedPage},
	{"POST", "/needs/new", false, false, (*Console).collectNeed},
	{"GET", "/needs/:id", false, false, (*Console).need},
	{"POST", "/needs/:id/do/:act", false, false, (*Console).needAct},
	{"GET", "/tally", false, false, (*Console).tally},
	{"POST", "/tally", false, false, (*Console).doTally},
	{"GET", "/tally/:id", false, false, (*Console).tallyYear},
	{"POST", "/tally/:id/do/:act", false, false, (*Console).tallyYearAct},
	{"GET", "/yearly", false, false, (*Console).yearly},
	{"GET", "/trail", false, false, (*Console).trail},
	{"GET", "/trail.csv", false, false, (*Console).trailCSV},
	{"GET", "/trail.xlsx", false, false, (*Console).trailXLSX},
	{"GET", "/trail/proof.json", false, false, (*Console).trailProof},
	{"GET", "/trail/checkpoint.txt", false, false, (*Console).trailCheckpoint},
	{"GET", "/trail/bundle.zip", false, false, (*Console).trailBundle},
	{"GET", "/projects/:id/bundle.zip", false, false, (*Console).projectBundle},
	{"GET", "/trail/verify", false, false, (*Console).verifyPage},
	{"POST", "/trail/verify", false, false, (*Console).verifyAll},
	{"GET", "/trail/verify/progress", false, false, (*Console).verifyProgress},
	{"POST", "/projects/:id/verify", false, false, (*Console).verifyProject},
	{"GET", "/units", false, false, (*Console).units},
	{"GET", "/units/:unit", false, false, (*Console).unit},
	{"GET", "/units/:unit/year.xlsx", false, false, (*Console).takeUnit},
	{"POST", "/units/:unit/add", false, false, (*Console).addUnit},
	{"POST", "/units/:unit/rename", false, false, (*Console).renameUnit},
	{"POST", "/units/:unit/move", false, false, (*Console).moveUnit},
	{"POST", "/units/:unit/close", false, false, (*Console).closeUnit},
	{"POST", "/units/:unit/reopen", false, false, (*Console).reopenUnit},
	{"GET", "/people", false, false, (*Console).people},
	{"GET", "/people/new", false, false, (*Console).newPerson},
	{"POST", "/people/new", false, false, (*Console).addPerson},
	{"GET", "/people/:user", false, false, (*Console).person},
	{"POST", "/people/:user/grant", false, false, (*Console).grantRole},
	{"POST", "/people/:user/revoke", false, false, (*Console).revokeRole},
	{"POST", "/people/:user/disable", false, false, (*Console).disablePerson},
	{"POST", "/people/:user/enable", false, false, (*Console).enablePerson},
	{"POST", "/people/:user/password", false, false, (*Console).resetPassword},
	{"POST", "/people/:user/sessions", false, false, (*Console).endSessions},
	{"POST", "/people/:user/codes", false, false, (*Console).removeCodes},
	{"POST", "/people/:user/erasure", false, false, (*Console).askErasure},
	{"POST", "/people/:user/erasure-end", false, false, (*Console).endErasure},
	{"POST", "/people/:user/erase", false, false, (*Console).erasePerson},
	{"GET", "/people/:user/leave", false, false, (*Console).leaving},
	{"POST", "/people/:user/leave", false, false, (*Console).handOver},
	{"GET", "/roles", false, false, (*Console).roles},
	{"GET", "/delegations", false, false, (*Console).delegations},
	{"POST", "/delegations", false, false, (*Console).delegate},
	{"POST", "/delegations/:delegation/end", false, false, (*Console).endDelegation},
	{"GET", "/workflows", false, false, (*Console).workflows},
	{"GET", "/workflows/:workflow", false, false, (*Console).workflow},
	{"POST", "/workflows/:workflow", false, false, (*Console).switchWorkflow},
}

// Routes lists the console's addresses, for the server's access table. The console is its own door: a route that
// is not Open sends people without a session to the sign-in page.
func Routes() []Route { return append([]Route(nil), routes...) }

// Register lays the routes.
func (c *Console) Register(r gin.IRouter) {
	for _, route := range routes {
		r.Handle(route.Method, route.Path, c.handler(route))
	}
}

// NotFound answers an address that does not exist with a page; the server calls it for browsers.
func (c *Console) NotFound(g *gin.Context) {
	v := c.visit(g)
	if err := c.recognise(v); err != nil {
		c.fail(v, err)
		return
	}
	c.fail(v, &engine.Error{Kind: engine.NotFound, Key: "console.error.no_page"})
}

// OnlyPosted leads somebody who opens the address that a form was sent to, as reloading a refused form by hand does, to
// the page that the form stands on.
func (c *Console) OnlyPosted(g *gin.Context) {
	to := "/"
	if parts := strings.SplitN(g.Request.URL.Path, "/", 4); len(parts) == 4 { // "", projects, id, …
		to = "/" + parts[1] + "/" + url.PathEscape(parts[2])
	}
	c.visit(g).redirect(to)
}

// Fail answers with an error that came up outside of the pages, such as a panic, as a page.
func (c *Console) Fail(g *gin.Context, err error) { c.fail(c.visit(g), err) }

// handler is what every request passes: headers, origin, session, then the page.
func (c *Console) handler(route Route) gin.HandlerFunc {
	return func(g *gin.Context) {
		v := c.visit(g)
		if err := c.origin.Check(g.Request); err != nil {
			c.fail(v, &engine.Error{Kind: engine.Denied, Key: "api.cross_origin", Err: err})
			return
		}
		if err := c.recognise(v); err != nil {
			c.fail(v, err)
			return
		}
		if !route.Open && v.user.ID == "" {
			c.askToSignIn(v)
			return
		}
		if v.user.ID != "" && c.Allow != nil {
			if wait, ok := c.Allow(string(v.user.ID)); !ok {
				seconds := int((wait + time.Second - 1) / time.Second)
				g.Header("Retry-After", strconv.Itoa(seconds))
				c.fail(v, &engine.Error{Kind: engine.Busy, Key: "api.busy", Args: map[string]any{"seconds": seconds}})
				return
			}
		}
		if g.Request.Method == http.MethodPost {
			limit := int64(maxForm)
			if route.Upload {
				limit = c.Upload + maxForm
			}
			g.Request.Body = http.MaxBytesReader(g.Writer, g.Request.Body, limit)
		}
		if err := route.handle(c, v); err != nil {
			c.fail(v, err)
		}
	}
}

// maxForm is the largest body of a form without a file, in bytes.
const maxForm = 1 << 20
