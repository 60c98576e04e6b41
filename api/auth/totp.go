package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"bihuan/engine"
)

// Errors within those of Actor and Proved: somebody is signed in, and something comes first.
var (
	ErrCode  = errors.New("the one-time code is missing")
	ErrEnrol = errors.New("one-time codes must be set up first")
	ErrProve = errors.New("the person must prove again who they are")
)

// One-time codes are those of RFC 6238 as every authenticator app makes them: SHA-1, six digits, 30 s. A code of the
// period before or after the present one is taken too, because clocks of telephones differ.
const (
	period   = 30 * time.Second
	seedSize = 20 // bytes, as RFC 4226 recommends

	recoveryCodes = 10
	recoverySize  = 10 // bytes; 80 bits, which need no slow hash

	offerLife   = 30 * time.Minute
	pendingLife = 10 * time.Minute // for the second step of a sign-in
	proofLife   = 10 * time.Minute // how long a proof of who somebody is counts for what needs a fresh one
)

// codeLimits are those of codes, which are shorter than passwords. Only whoever knows the password gets to use them up.
var codeLimits = engine.AttemptLimits{Window: limits.Window, Account: 5, Address: limits.Address, Busy: limits.Busy}

var codeOptions = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

var plainBase32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// step is the period that a moment lies in.
func step(t time.Time) int64 { return t.Unix() / int64(period/time.Second) }

// codeStep returns the period around now whose code this is.
func codeStep(seed []byte, code string, now time.Time) (int64, bool) {
	found, at := false, int64(0)
	for s := step(now) - 1; s <= step(now)+1; s++ {
		if ok, err := hotp.ValidateCustom(code, uint64(s), plainBase32.EncodeToString(seed), codeOptions); err == nil && ok {
			found, at = true, s
		}
	}
	return at, found
}

// typed is a code without what people put between its parts.
func typed(code string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\t' || r == '　' {
			return -1
		}
		return r
	}, normal(code)))
}

// recoveryHash is how a recovery code is stored and looked up.
func recoveryHash(code string) []byte {
	h := sha256.Sum256([]byte("recovery\n" + typed(code)))
	return h[:]
}

// newRecovery makes the codes, as people read them, with their hashes.
func newRecovery() (codes []string, hashes [][]byte) {
	for range recoveryCodes {
		raw := make([]byte, recoverySize)
		rand.Read(raw) // never fails (crypto/rand)
		s := strings.ToLower(plainBase32.EncodeToString(raw))
		code := s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
		codes, hashes = append(codes, code), append(hashes, recoveryHash(code))
	}
	return codes, hashes
}

// wrongCode is the one answer for a code that is wrong, was used before, or is not the user's.
func wrongCode() error { return &engine.Error{Kind: engine.Invalid, Field: "code", Key: "totp.code"} }

// code looks at a one-time code or recovery code of a user, unless too many were tried before, and uses it up. how is
// "totp" or "recovery".
func (d *Door) code(ctx context.Context, u engine.User, code, addr string) (how string, err error) {
	account := sha256.Sum256([]byte("code\n" + string(u.ID)))
	t := &attempt{Attempt: engine.Attempt{ID: uuid.Must(uuid.NewV7()).String(), Account: account[:], Address: place(addr), At: d.now()}, user: u}
	if err := d.device(ctx, t); err != nil {
		return "", err
	}
	if err := d.count(ctx, t, codeLimits); err != nil {
		return "", err
	}
	ctx = context.WithoutCancel(ctx) // what is counted is settled
	how, err = d.useCode(ctx, u, typed(code), t.At)
	if engine.KindOf(err) == engine.Invalid {
		d.noted(ctx, d.Engine.NoteAbout(ctx, stranger(ctx), u.ID, "sign_in_failed", map[string]any{"why": "code"}))
		return "", err
	}
	return how, errors.Join(err, d.Store.Withdraw(ctx, t.ID))
}

func (d *Door) useCode(ctx context.Context, u engine.User, code string, now time.Time) (how string, err error) {
	f, left, err := d.Store.SecondFactor(ctx, u.ID)
	if errors.Is(err, engine.ErrNotFound) {
		return "", wrongCode()
	}
	if err != nil {
		return "", err
	}
	used := false
	if how = "totp"; len(code) == codeOptions.Digits.Length() {
		seed, err := d.Engine.Seed(f)
		if err != nil {
			return "", err
		}
		if s, ok := codeStep(seed, code, now); ok {
			if used, err = d.Store.UseStep(ctx, u.ID, s); err != nil {
				return "", err
			}
		}
	} else if how = "recovery"; code != "" {
		if used, err = d.Store.UseRecovery(ctx, u.ID, recoveryHash(code), now); err != nil {
			return "", err
		}
		if used {
			err = d.Engine.Note(ctx, d.actor(ctx, u), "use_recovery", map[string]any{"left": left - 1})
		}
	}
	if err == nil && !used {
		err = wrongCode()
	}
	return how, err
}

// SecondStep lets somebody in whose session waits for a one-time code, and returns the cookie of another session. A
// wrong code is Invalid, too many of them Busy.
func (d *Door) SecondStep(ctx context.Context, cookie, code, addr string) (string, engine.User, error) {
	s, u, _, err := d.session(ctx, cookie)
	if err == nil && !s.Pending {
		err = over()
	}
	if err != nil {
		return "", engine.User{}, err
	}
	how, err := d.code(ctx, u, code, addr)
	if err != nil {
		return "", engine.User{}, err
	}
	ctx = context.WithoutCancel(ctx)
	if n, err := d.Store.EndSessions(ctx, u.ID, s.Hash, d.now()); err != nil || n == 0 {
		return "", engine.User{}, errors.Join(err, over())
	}
	next, err := d.admit(ctx, u, arrival{method: s.Method, address: place(addr), ticket: s.Ticket}, map[string]any{"method": s.Method, "second": how})
	return next, u, err
}

// whole returns the session of a cookie if it holds and nothing of the sign-in is missing.
func (d *Door) whole(ctx context.Context, cookie string) (engine.Session, engine.User, error) {
	s, u, _, err := d.session(ctx, cookie)
	if err == nil && s.Pending {
		err = over()
	}
	return s, u, err
}

// Proved is nil for somebody who has proved within the last minutes who they are, by signing in or by Prove; an error
// with ErrProve for others. What a stolen session must not do asks for it.
func (d *Door) Proved(ctx context.Context, cookie string) error {
	_, _, err := d.fresh(ctx, cookie)
	return err
}

// fresh is whole for somebody who is Proved.
func (d *Door) fresh(ctx context.Context, cookie string) (engine.Session, engine.User, error) {
	s, u, err := d.whole(ctx, cookie)
	if err == nil && !d.now().Before(s.ProvedAt.Add(proofLife)) {
		err = &engine.Error{Kind: engine.Required, Key: "prove.first", Err: ErrProve}
	}
	return s, u, err
}

// Prove lets somebody who is signed in prove again who they are: with a one-time code, or without those with the
// password. A wrong one is Invalid about the field "proof".
func (d *Door) Prove(ctx context.Context, cookie, proof, addr string) error {
	s, u, err := d.whole(ctx, cookie)
	if err != nil {
		return err
	}
	if u.TwoFactor {
		_, err = d.code(ctx, u, proof, addr)
	} else {
		_, err = d.ownPassword(ctx, s, u, proof, "prove")
	}
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Kind == engine.Invalid {
		return &engine.Error{Kind: e.Kind, Field: "proof", Key: e.Key}
	}
	if err != nil {
		return err
	}
	return d.Store.ProveSession(ctx, s.Hash, d.now())
}

// Offer is a seed that somebody may take: shown, and in Sealed sent back with the first code that it makes, so that
// nothing has to be kept of offers that nobody takes.
type Offer struct {
	Sealed string // only for whom it was made, for half an hour
	Secret string // the seed, to be typed into an app that cannot read the QR code
	URI    string // otpauth://, as apps read it from a QR code
}

func offerPurpose(user engine.UserID) string { return "totp-offer/" + string(user) }

// OfferSeed makes a seed for somebody who has freshly proved who they are.
func (d *Door) OfferSeed(ctx context.Context, cookie string) (Offer, error) {
	_, u, err := d.fresh(ctx, cookie)
	if err != nil {
		return Offer{}, err
	}
	if d.Engine.Secrets == nil {
		return Offer{}, &engine.Error{Kind: engine.Blocked, Key: "totp.no_key"}
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(d.now().Add(offerLife).Unix()))
	plain = append(plain, make([]byte, seedSize)...)
	rand.Read(plain[8:]) // never fails (crypto/rand)
	sealed := d.Engine.Secrets.Seal(offerPurpose(u.ID), plain)
	return d.offer(u, plain[8:], base64.RawURLEncoding.EncodeToString(sealed))
}

func (d *Door) offer(u engine.User, seed []byte, sealed string) (Offer, error) {
	k, err := totp.Generate(totp.GenerateOpts{Issuer: d.Issuer, AccountName: u.Login, Secret: seed})
	if err != nil {
		return Offer{}, err
	}
	return Offer{Sealed: sealed, Secret: k.Secret(), URI: k.URL()}, nil
}

// opened returns the seed in an offer; Invalid for one that is too old or somebody else's.
func (d *Door) opened(u engine.User, sealed string) ([]byte, error) {
	stale := &engine.Error{Kind: engine.Invalid, Key: "totp.offer"}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || d.Engine.Secrets == nil {
		return nil, stale
	}
	plain, err := d.Engine.Secrets.Open(offerPurpose(u.ID), raw)
	if err != nil || len(plain) != 8+seedSize || d.now().Unix() >= int64(binary.BigEndian.Uint64(plain)) {
		return nil, stale
	}
	return plain[8:], nil
}

// OpenOffer returns an offer that was made before, to be shown again beside a mistake.
func (d *Door) OpenOffer(ctx context.Context, cookie, sealed string) (Offer, error) {
	_, u, err := d.whole(ctx, cookie)
	if err != nil {
		return Offer{}, err
	}
	seed, err := d.opened(u, sealed)
	if err != nil {
		return Offer{}, err
	}
	return d.offer(u, seed, sealed)
}

// Enrol takes an offer up for somebody whose device makes the right code. All of the user's sessions end; the answer
// is the cookie of a new one, and the recovery codes, which nobody sees again.
func (d *Door) Enrol(ctx context.Context, cookie, sealed, code string) (next string, recovery []string, err error) {
	s, u, err := d.fresh(ctx, cookie)
	if err != nil {
		return "", nil, err
	}
	seed, err := d.opened(u, sealed)
	if err != nil {
		return "", nil, err
	}
	at, ok := codeStep(seed, typed(code), d.now())
	if !ok {
		return "", nil, wrongCode()
	}
	recovery, hashes := newRecovery()
	after, err := d.Engine.NewSeed(ctx, d.actor(ctx, u), seed, at, hashes)
	if err != nil {
		return "", nil, err
	}
	next, err = d.reopen(ctx, s, after)
	return next, recovery, err
}

// RenewRecovery makes other recovery codes; otherwise like Enrol.
func (d *Door) RenewRecovery(ctx context.Context, cookie string) (next string, recovery []string, err error) {
	s, u, err := d.fresh(ctx, cookie)
	if err != nil {
		return "", nil, err
	}
	recovery, hashes := newRecovery()
	after, err := d.Engine.NewRecovery(ctx, d.actor(ctx, u), hashes)
	if err != nil {
		return "", nil, err
	}
	next, err = d.reopen(ctx, s, after)
	return next, recovery, err
}

// RemoveSeed lets somebody who has freshly proved who they are sign in without one-time codes again. All of the user's
// sessions end; the answer is the cookie of a new one.
func (d *Door) RemoveSeed(ctx context.Context, cookie string) (next string, err error) {
	s, u, err := d.fresh(ctx, cookie)
	if err != nil {
		return "", err
	}
	after, err := d.Engine.RemoveSeed(ctx, d.actor(ctx, u), string(u.ID))
	if err != nil {
		return "", err
	}
	return d.reopen(ctx, s, after)
}

// RecoveryLeft is how many recovery codes somebody has left; 0 without one-time codes.
func (d *Door) RecoveryLeft(ctx context.Context, u engine.User) (int, error) {
	_, left, err := d.Store.SecondFactor(ctx, u.ID)
	if errors.Is(err, engine.ErrNotFound) {
		return 0, nil
	}
	return left, err
}

// ProvesBy says by what a user proves again who they are: "code", "password", or "" if only by signing in.
func (d *Door) ProvesBy(ctx context.Context, u engine.User) (string, error) {
	if u.TwoFactor {
		return "code", nil
	}
	p, err := d.Store.Password(ctx, u.ID)
	if errors.Is(err, engine.ErrNotFound) || err == nil && p.PHC == "" {
		return "", nil
	}
	return "password", err
}
