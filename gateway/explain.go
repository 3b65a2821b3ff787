package gateway

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport"
	"sallyport/admin"
	"sallyport/config"
	"sallyport/policy"
	"sallyport/proxy"
	"sallyport/store"
)

// Question is what explain is asked.
type Question struct {
	User    string // name, address or ID; "" for nobody
	URL     string // absolute
	Address netip.Addr
}

// Explanation is every decision on the way in, each with its reasons.
type Explanation struct {
	URL     string              `json:"url"`
	Route   string              `json:"route"`
	Public  bool                `json:"public"`
	User    string              `json:"user,omitempty"`
	UserID  sallyport.UserID    `json:"user_id,omitempty"`
	State   sallyport.State     `json:"state,omitempty"`
	Groups  []string            `json:"groups,omitempty"`
	Methods int                 `json:"methods"`
	Address policy.AddressClass `json:"address"`
	Stages  []Stage             `json:"stages"`
	// Locked are the lanes in which the user is locked out now.
	Locked   []sallyport.LockedLane `json:"locked,omitempty"`
	LastSeen time.Time              `json:"last_sign_in,omitzero"`
}

// Stage is the decision once something has been shown.
type Stage struct {
	// When is "signed out", "after the first factor", "registering a first method"
	// (where that is refused) or "after verification".
	When     string          `json:"when"`
	Decision policy.Decision `json:"decision"`
}

// Explain decides as the gateway would, and changes nothing. Groups are those of
// the user's latest session, since they are the provider's to say.
func Explain(ctx context.Context, cfg *config.Config, db *store.DB, q Question) (*Explanation, error) {
	addresses, err := policy.NewAddresses(cfg.MFA.TrustedIPs, cfg.Locations)
	if err != nil {
		return nil, err
	}
	lookUp, err := proxy.Targets(cfg.Routes, cfg.PortalOrigin())
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(q.URL)
	if err != nil {
		return nil, fmt.Errorf("%s is not an address: %w", q.URL, err)
	}
	target, route, ok := lookUp(u)
	if !ok {
		if port, at := rightPort(cfg, lookUp, u); at != "" {
			return nil, fmt.Errorf("%s: no route: the portal and apps are on port %s: %s", q.URL, port, at)
		}
		return nil, fmt.Errorf("%s: no route: the address must be https, of a configured host, and its path unambiguous", q.URL)
	}
	x := &Explanation{URL: q.URL, Route: route, Public: target.Public, Address: addresses.Class(q.Address)}
	facts := policy.Facts{Target: target, Address: x.Address}
	x.Stages = append(x.Stages, Stage{"signed out", policy.Decide(facts)})
	if q.User == "" {
		return x, nil
	}
	if err := x.person(ctx, db, q.User, &facts); err != nil {
		return nil, err
	}
	facts.SignedIn, facts.Strength = true, sallyport.StrengthSingleFactor
	x.Stages = append(x.Stages, Stage{"after the first factor", policy.Decide(facts)})
	if !facts.Registered && cfg.Registration.Refuses(x.Address) {
		x.Stages = append(x.Stages, Stage{"registering a first method", cfg.Registration.Refusal(x.Address, nil)})
	}
	// A lock stops sign-ins; what was verified before goes on.
	facts.Strength, facts.Registered, facts.Locked = sallyport.StrengthMultifactor, true, false
	x.Stages = append(x.Stages, Stage{"after verification", policy.Decide(facts)})
	return x, nil
}

// rightPort returns the port and the address that would have had a route, where
// only the port is wrong; "" otherwise.
func rightPort(cfg *config.Config, lookUp func(*url.URL) (policy.Target, string, bool), u *url.URL) (port, at string) {
	ports := []string{""}
	for _, host := range append([]string{cfg.Server.Portal}, routeHosts(cfg)...) {
		if _, port, err := net.SplitHostPort(host); err == nil && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	for _, port := range ports {
		try := *u
		if try.Host = u.Hostname(); strings.Contains(try.Host, ":") {
			try.Host = "[" + try.Host + "]"
		}
		if port != "" {
			try.Host += ":" + port
		}
		if _, _, ok := lookUp(&try); ok {
			return cmp.Or(port, "443"), try.String()
		}
	}
	return "", ""
}

func routeHosts(cfg *config.Config) []string {
	var out []string
	for _, r := range cfg.Routes {
		out = append(out, r.Hosts...)
	}
	return out
}

// person fills in what the store knows of the user.
func (x *Explanation) person(ctx context.Context, db *store.DB, name string, facts *policy.Facts) error {
	d, err := admin.NewUsers(db, time.Now, "", "").Show(ctx, name) // only reads
	if err != nil {
		return err
	}
	u := d.User
	if len(d.Sessions) > 0 {
		x.Groups = d.Sessions[0].Groups
	}
	x.User, x.UserID, x.State, x.Methods, x.LastSeen, x.Locked = u.Name, u.ID, u.State, len(d.Methods), u.LastSignInAt, d.Locked
	facts.UserName, _ = sallyport.FoldName(u.Name)
	facts.UserEmail, _ = sallyport.FoldName(u.Email) // "" when there is none
	facts.State, facts.SignInDisabled, facts.Reregister = u.State, u.SignInDisabled, u.Reregister
	facts.Groups, facts.Registered = x.Groups, len(d.Methods) > 0
	lane := sallyport.LaneOther
	if x.Address.Trusted {
		lane = sallyport.LaneTrusted
	}
	facts.Locked = slices.ContainsFunc(d.Locked, func(l sallyport.LockedLane) bool {
		return l.Kind == sallyport.AttemptVerification && l.Lane == lane
	})
	return nil
}

// DescribeNeed says in words what a decision still demands.
func DescribeNeed(n sallyport.Need) string {
	var parts []string
	if n.FirstFactor {
		parts = append(parts, "sign-in")
	}
	if n.Register {
		parts = append(parts, "registration of a method")
	}
	if n.Strength != "" {
		parts = append(parts, "verification ("+string(n.Strength)+")")
	}
	return strings.Join(parts, ", then ")
}
