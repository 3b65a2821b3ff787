package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/time/rate"

	"sallyport/identity"
)

const (
	// maxAge is how long discovery document and keys are used before they are
	// fetched again, so that a withdrawn key is not trusted for ever.
	maxAge = time.Hour
	// maxStale is how long they are used beyond that while the provider is away.
	maxStale = 24 * time.Hour
	// firstRetry and lastRetry bound the pause after a failure, which doubles.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// keyEvery and keyBurst bound how often keys are fetched because a token
	// names one that is not known.
	keyEvery = 15 * time.Second
	keyBurst = 4
)

var errThrottled = errors.New("the keys were fetched a moment ago")

// metadata is what the discovery document says beyond what package oidc reads.
type metadata struct {
	JWKS        string   `json:"jwks_uri"`
	Algorithms  []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	// IssInAnswer: RFC 9207, section 3.
	IssInAnswer bool `json:"authorization_response_iss_parameter_supported"`
}

// remote is a provider as discovered.
type remote struct {
	endpoint    oauth2.Endpoint
	userinfo    string
	algorithms  []string
	issInAnswer bool
	keys        oidc.KeySet
	at          time.Time
}

// discovery is what is known of the provider and of the last failure; it is
// guarded by holding the lock channel.
type discovery struct {
	current *remote
	failure error
	pause   time.Duration
	retryAt time.Time
}

// remote returns the discovered provider, fetching it where it is unknown or
// old. After a failure it answers at once, without asking, until a pause has
// passed. force asks even while what is known is new. Errors wrap
// sallyport.ErrUnavailable.
func (p *Provider) remote(ctx context.Context, force bool) (*remote, error) {
	select {
	case p.lock <- struct{}{}:
		defer func() { <-p.lock }()
	case <-ctx.Done():
		return nil, identity.Unavailable(p.name, ctx.Err())
	}
	d, now := &p.discovered, p.now()
	fresh := d.current != nil && now.Sub(d.current.at) < maxAge && !now.Before(d.current.at)
	if fresh && !force {
		return d.current, nil
	}
	usable := d.current != nil && now.Sub(d.current.at) < maxAge+maxStale
	if now.Before(d.retryAt) {
		if usable && !force {
			return d.current, nil
		}
		return nil, identity.Unavailable(p.name, d.failure)
	}
	// One caller who gives up must not fail the others who wait.
	fetch, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Timeout)
	defer cancel()
	r, err := p.discover(fetch, now)
	if err != nil {
		d.failure = err
		d.pause = min(max(2*d.pause, firstRetry), lastRetry)
		d.retryAt = now.Add(d.pause)
		p.log.WarnContext(ctx, "the identity provider cannot be discovered", "error", err, "retry_in", d.pause)
		if usable && !force {
			return d.current, nil
		}
		return nil, identity.Unavailable(p.name, err)
	}
	if fresh { // asked by force: it answers, and what is known of it stays
		r = d.current
	}
	p.discovered = discovery{current: r}
	return r, nil
}

func (p *Provider) discover(ctx context.Context, now time.Time) (*remote, error) {
	op, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %s", brief(err))
	}
	var m metadata
	if err := op.Claims(&m); err != nil {
		return nil, fmt.Errorf("discovery: %s", brief(err))
	}
	r := &remote{
		endpoint: op.Endpoint(), userinfo: op.UserInfoEndpoint(),
		algorithms: asymmetric(m.Algorithms), issInAnswer: m.IssInAnswer, at: now,
	}
	if err := p.checkEndpoints(r, m.JWKS); err != nil {
		return nil, err
	}
	r.endpoint.AuthStyle = p.authStyle(m.AuthMethods)
	r.keys = p.keySet(m.JWKS)
	return r, nil
}

// checkEndpoints refuses a discovery document that lacks an address, or would
// send codes, secrets or people over plain HTTP.
func (p *Provider) checkEndpoints(r *remote, jwks string) error {
	issuer, err := url.Parse(p.cfg.Issuer)
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	for _, e := range []struct {
		name, address string
		needed        bool
	}{
		{"authorization_endpoint", r.endpoint.AuthURL, true},
		{"token_endpoint", r.endpoint.TokenURL, true},
		{"jwks_uri", jwks, true},
		{"userinfo_endpoint", r.userinfo, false},
	} {
		if e.address == "" && !e.needed {
			continue
		}
		u, err := url.Parse(e.address)
		if err != nil || u.Hostname() == "" || u.User != nil || !safeURL(u) || (issuer.Scheme == "https" && u.Scheme != "https") {
			return fmt.Errorf("discovery: %s is not an https address", e.name)
		}
	}
	return nil
}

// asymmetric returns those of the provider's algorithms whose keys only it has:
// never "none", and no HMAC, which would let anybody sign who knows the client's
// secret or, confusing key kinds, the public key.
func asymmetric(listed []string) []string {
	known := []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512,
		oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
	}
	var out []string
	for _, a := range listed {
		if slices.Contains(known, a) {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return []string{oidc.RS256} // what every provider must support
	}
	return out
}

// authStyle says how the client names itself at the token endpoint. It is never
// tried out: a failed try would use up the code.
func (p *Provider) authStyle(methods []string) oauth2.AuthStyle {
	basic := len(methods) == 0 || slices.Contains(methods, "client_secret_basic")
	if p.secret.Empty() || !basic {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// keySet returns the provider's keys, fetched when a token needs one that is not
// known, but not more often than keyEvery allows: else anybody could make us
// hammer the provider with made-up key IDs.
func (p *Provider) keySet(jwks string) oidc.KeySet {
	client := *p.client
	client.Transport = throttled{next: p.client.Transport, limit: rate.NewLimiter(rate.Every(keyEvery), keyBurst), now: p.now}
	return oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &client), jwks)
}

type throttled struct {
	next  http.RoundTripper
	limit *rate.Limiter
	now   func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (t throttled) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.limit.AllowN(t.now(), 1) {
		return nil, errThrottled
	}
	return t.next.RoundTrip(r)
}

// brief returns an error's text without what the provider sent: package oidc
// puts whole bodies into its errors, and they end in the log.
func brief(err error) string {
	var address *url.Error
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &mismatch):
		return fmt.Sprintf("the document names the issuer %q, not %q", identity.Text(mismatch.Discovered), mismatch.Provided)
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.As(err, &address):
		return identity.Text(address.Err.Error())
	}
	// An answer that is not 200 begins with its status.
	if status, _, ok := strings.Cut(err.Error(), " "); ok && len(status) == 3 && strings.Trim(status, "0123456789") == "" {
		return "it answered with status " + status
	}
	return "not a usable answer"
}
