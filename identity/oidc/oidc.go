package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sallyport"
	"sallyport/identity"
	"sallyport/internal/secret"
)

// Provider signs people in at one OpenID provider. It implements
// identity.RedirectProvider and identity.Prober and is safe for concurrent use.
type Provider struct {
	name, label string
	cfg         Config // with defaults
	secret      secret.String
	client      *http.Client
	now         func() time.Time
	log         *slog.Logger

	lock       chan struct{} // holds one token while discovered is used
	discovered discovery
}

var (
	_ identity.RedirectProvider = (*Provider)(nil)
	_ identity.Prober           = (*Provider)(nil)
)

// Option changes how a Provider is made.
type Option func(*options)

type options struct {
	client *http.Client
	now    func() time.Time
	log    *slog.Logger
}

// WithHTTPClient sets the client for requests to the provider; with a transport
// of its own, ca_file is not used. It is copied; redirects, cookies and larger
// answers than the package allows are switched off on the copy.
func WithHTTPClient(c *http.Client) Option { return func(o *options) { o.client = c } }

// WithClock sets the clock; default: time.Now.
func WithClock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// WithLogger sets the logger; default: slog.Default().
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// New returns the provider of one config entry. It reads the entry's files and
// asks nobody. The error is what Validate found, or that of a file.
func New(name, label string, cfg Config, opts ...Option) (*Provider, error) {
	if faults := cfg.Validate(); len(faults) > 0 {
		return nil, faults
	}
	o := options{now: time.Now, log: slog.Default()}
	for _, opt := range opts {
		opt(&o)
	}
	p := &Provider{
		name: name, label: label, cfg: cfg.withDefaults(), now: o.now,
		log: o.log.With("provider", name), lock: make(chan struct{}, 1),
	}
	var err error
	if p.secret, err = identity.Secret(cfg.ClientSecret, cfg.ClientSecretFile); err != nil {
		return nil, &sallyport.FieldError{Path: "client_secret_file", Msg: err.Error()}
	}
	if p.client, err = newClient(o.client, cfg.CAFile, p.cfg.Timeout); err != nil {
		return nil, err
	}
	return p, nil
}

// Name implements identity.Provider.
func (p *Provider) Name() string { return p.name }

// Label implements identity.Provider.
func (p *Provider) Label() string { return p.label }

// Redirects implements identity.RedirectProvider.
func (p *Provider) Redirects() bool { return p.cfg.Redirect }

// Close ends idle connections.
func (p *Provider) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Probe implements identity.Prober: it fetches the discovery document, unless
// the last try failed a moment ago.
func (p *Provider) Probe(ctx context.Context) error {
	_, err := p.remote(ctx, true)
	return err
}

// pending is what Finish needs of Begin.
type pending struct {
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Issued   time.Time `json:"issued"`
}

// maxPending is how long a person may take at the provider.
const maxPending = time.Hour

// Begin implements identity.RedirectProvider.
func (p *Provider) Begin(ctx context.Context, redirectURL, state string) (string, []byte, error) {
	r, err := p.remote(ctx, false)
	if err != nil {
		return "", nil, err
	}
	keep := pending{Nonce: sallyport.NewToken(), Verifier: oauth2.GenerateVerifier(), Issued: p.now().UTC()}
	sealed, err := json.Marshal(keep)
	if err != nil {
		return "", nil, fmt.Errorf("keep a sign-in: %w", err)
	}
	location := p.oauth(r, redirectURL).AuthCodeURL(state, oidc.Nonce(keep.Nonce), oauth2.S256ChallengeOption(keep.Verifier))
	return location, sealed, nil
}

func (p *Provider) oauth(r *remote, redirectURL string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.secret.Reveal(), Endpoint: r.endpoint,
		RedirectURL: redirectURL, Scopes: p.cfg.Scopes,
	}
}

// refused is an error for what the provider brought; format must hold no secret
// and no token.
func (p *Provider) refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", identity.ErrProviderRefused, p.name, fmt.Sprintf(format, args...))
}
