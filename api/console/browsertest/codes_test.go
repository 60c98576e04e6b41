package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// shot keeps a picture of the page where BIHUAN_SHOTS_DIR names a folder, for whoever wants to look at it.
func (p *person) shot(name string) {
	p.t.Helper()
	dir := os.Getenv("BIHUAN_SHOTS_DIR")
	if dir == "" {
		return
	}
	var b []byte
	p.do(chromedp.FullScreenshot(&b, 100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// onPhone looks at a page that is there in one state of one person alone, and comes back to the desk.
func (p *person) onPhone(name string) {
	p.t.Helper()
	p.readable(name)
	p.shot(name)
	p.look(phone)
	p.fits(name, phone)
	p.readable(name+", phone", finger)
	p.look(desktop)
}

// TestSignInWithOneTimeCode sets codes up with the QR code's seed, signs in with the next code, and without the
// telephone by a recovery code.
func TestSignInWithOneTimeCode(t *testing.T) {
	h := open(t, false)
	p := h.enter("zhang")
	p.open("/account/totp")
	p.onPhone("totp-offer")
	seed := strings.ReplaceAll(p.text("code.mono"), " ", "")
	code := func() string {
		t.Helper()
		s, err := totp.GenerateCode(seed, h.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	p.fill("#code", "000000")
	p.follow("#main .act-form button[type=submit]")
	if p.sent != 422 || !p.has(".errsum") {
		t.Fatalf("a wrong code answers %d", p.sent)
	}
	p.readable("totp-offer, refused")
	p.fill("#code", code())
	p.follow("#main .act-form button[type=submit]")
	p.onPhone("totp-codes")
	codes := strings.Fields(p.text("pre"))
	if p.sent != 200 || len(codes) != 10 {
		t.Fatalf("%d, %d recovery codes", p.sent, len(codes))
	}
	p.follow("#main a.btn.pri")
	p.wants("#main", "总览")
	p.open("/account/totp")
	p.onPhone("totp-on")

	h.clock.Set(h.clock.Now().Add(30 * time.Second))
	q := visitor(t, h.url)
	q.open("/sign-in?next=/ledger")
	q.fill("#login", "zhang")
	q.fill("#password", password)
	q.follow("form[action='/sign-in'] button[type=submit]")
	if q.at() != "/sign-in/code?next=%2Fledger" {
		t.Fatalf("the password alone leads to %s", q.at())
	}
	q.onPhone("sign-in-code")
	q.fill("#code", code())
	q.follow("#main .act-form button[type=submit]")
	if q.at() != "/ledger" {
		t.Fatalf("the code leads to %s: %s", q.at(), q.text("#main"))
	}

	r := visitor(t, h.url)
	r.open("/sign-in")
	r.fill("#login", "zhang")
	r.fill("#password", password)
	r.follow("form[action='/sign-in'] button[type=submit]")
	r.fill("#code", codes[0])
	r.follow("#main .act-form button[type=submit]")
	if r.at() != "/overview" {
		t.Fatalf("a recovery code leads to %s: %s", r.at(), r.text("#main"))
	}
	h.clock.Set(h.clock.Now().Add(11 * time.Minute))
	r.open("/account/totp")
	if r.at() != "/prove?next=%2Faccount%2Ftotp" {
		t.Fatalf("eleven minutes later the codes lead to %s", r.at())
	}
	r.onPhone("prove")
	h.intact()
}
