package proxy

import (
	"time"

	"sallyport"
)

const (
	// assertionLife is how long an upstream may take an assertion for good.
	assertionLife = 5 * time.Minute
	// assertionRenew is the age at which a cached one is replaced.
	assertionRenew = time.Minute
	// assertionSpare is the age up to which others are served the old one while
	// one request renews it.
	assertionSpare = 3 * time.Minute
)

// claims are the payload of X-Sallyport-Assertion.
type claims struct {
	Issuer            string   `json:"iss"`
	Audience          string   `json:"aud"`
	Subject           string   `json:"sub"`
	PreferredUsername string   `json:"preferred_username"`
	Email             string   `json:"email,omitempty"`
	Name              string   `json:"name,omitempty"`
	Groups            []string `json:"groups"`
	AMR               []string `json:"amr"`
	ACR               string   `json:"acr"`
	AuthTime          int64    `json:"auth_time"`
	SessionID         string   `json:"sid"`
	IssuedAt          int64    `json:"iat"`
	Expires           int64    `json:"exp"`
	ID                string   `json:"jti"`
}

// assertion is a signed one, with all that it depends on beyond grant and route.
type assertion struct {
	values   []string
	issued   time.Time
	audience string
	key      string
}

// assert returns the assertion for g on rt as a header value, signed anew at most
// once a minute. One request renews; the others go on with the old one.
func (p *Proxy) assert(m *routeMemo, g *sallyport.Grant, rt *route, host string, now time.Time) ([]string, error) {
	ring := p.keys.ring.Load()
	old := m.signed.Load()
	usable := old != nil && old.isFor(rt, host) && ring.publishes(old.key)
	if usable {
		age := now.Sub(old.issued)
		fresh := age >= 0 && age < assertionRenew && old.key == ring.kid()
		if fresh {
			return old.values, nil
		}
		if age >= 0 && age < assertionSpare && !m.signing.CompareAndSwap(false, true) {
			return old.values, nil
		}
		defer m.signing.Store(false)
	}
	audience := "https://" + host + rt.Path // the route's origin and path
	token, err := ring.sign(newClaims(p.portalOrigin, audience, g, now))
	if err != nil {
		return nil, err
	}
	a := &assertion{values: []string{token}, issued: now, audience: audience, key: ring.kid()}
	m.signed.Store(a)
	return a.values, nil
}

// isFor reports whether the assertion is for this host. A grant is one host's, so
// this only guards against a session that is shared by mistake.
func (a *assertion) isFor(rt *route, host string) bool {
	const scheme = len("https://")
	rest := a.audience[scheme:]
	return len(rest) == len(host)+len(rt.Path) && rest[:len(host)] == host
}

func newClaims(issuer, audience string, g *sallyport.Grant, now time.Time) claims {
	groups := g.Session.Groups
	if groups == nil {
		groups = []string{}
	}
	amr := methods(g.Token.Proofs)
	if amr == nil {
		amr = []string{}
	}
	return claims{
		Issuer: issuer, Audience: audience, Subject: string(g.User.ID),
		PreferredUsername: g.User.Name, Email: g.User.Email, Name: g.User.DisplayName,
		Groups: groups, AMR: amr, ACR: string(sallyport.StrengthOf(g.Token.Proofs)),
		AuthTime:  authTime(g.Token.Proofs).Unix(),
		SessionID: string(g.Session.ID), IssuedAt: now.Unix(), Expires: now.Add(assertionLife).Unix(),
		ID: sallyport.NewID(),
	}
}

// authTime is when the person last showed a factor.
func authTime(proofs []sallyport.Proof) time.Time {
	at := sallyport.FirstFactorAt(proofs)
	if v := sallyport.VerifiedAt(proofs); v.After(at) {
		return v
	}
	return at
}
