package authtest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// What the provider knows: the client, and somebody with the subject id2, from the library's example.
const (
	ClientID     = "bihuan"
	ClientSecret = "client-secret"
	User         = "test-user2"
	Subject      = "id2"
	Password     = "verysecure"
)

// Provider is an OpenID provider of github.com/zitadel/oidc with that library's example storage and pages.
type Provider struct {
	*storage.Storage
	URL    string // the issuer
	claims atomic.Pointer[map[string]any]
}

// Says sets further claims about everybody.
func (p *Provider) Says(claims map[string]any) { p.claims.Store(&claims) }

// SetUserinfoFromToken adds the further claims.
func (p *Provider) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	err := p.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin)
	if claims := p.claims.Load(); claims != nil {
		for name, value := range *claims {
			info.AppendClaims(name, value)
		}
	}
	return err
}

// NewProvider starts a provider that sends browsers back to an address.
func NewProvider(t *testing.T, back string) *Provider {
	t.Helper()
	var handler atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.Load().(http.Handler).ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	client := storage.WebClient(ClientID, ClientSecret, back)
	p := &Provider{URL: s.URL, Storage: storage.NewStorageWithClients(storage.NewUserStore(s.URL), map[string]*storage.Client{ClientID: client})}
	handler.Store(http.Handler(exampleop.SetupServer(s.URL, p, slog.New(slog.DiscardHandler), false)))
	return p
}
