package proxy

import (
	"sync"
	"sync/atomic"

	"sallyport"
	"sallyport/policy"
	"sallyport/proxy/upstream"
)

// grantMemo is what this generation of the proxy derived for one grant. It hangs
// on the grant, so that it lives exactly as long.
type grantMemo struct {
	owner  *Proxy
	routes sync.Map // *route → *routeMemo
}

// routeMemo is what was derived for one grant on one route.
type routeMemo struct {
	folded  person
	fields  []upstream.Field
	decided [4]atomic.Pointer[decided] // by address trusted, device remembered
	signed  atomic.Pointer[assertion]
	signing atomic.Bool
}

// decided is a decision and the one fact it was made with that its slot does not
// tell.
type decided struct {
	location string
	policy.Decision
}

// person is a grant's user in the form that rules compare.
type person struct{ name, email string }

// memo returns what was derived for g on rt, deriving it if need be.
func (p *Proxy) memo(g *sallyport.Grant, rt *route) *routeMemo {
	m, _ := g.Memo.Load().(*grantMemo)
	if m == nil || m.owner != p {
		// Two requests may both come here; the loser's work is lost, nothing else.
		m = &grantMemo{owner: p}
		g.Memo.Store(m)
	}
	if v, ok := m.routes.Load(rt); ok {
		return v.(*routeMemo)
	}
	v, _ := m.routes.LoadOrStore(rt, newRouteMemo(g, rt))
	return v.(*routeMemo)
}

func newRouteMemo(g *sallyport.Grant, rt *route) *routeMemo {
	m := &routeMemo{fields: identityFields(g, rt.extra)}
	// A name that cannot be folded matches no rule.
	m.folded.name, _ = sallyport.FoldName(g.User.Name)
	m.folded.email, _ = sallyport.FoldName(g.User.Email)
	return m
}

// decide returns the decision on a request of g (nil: nobody) to rt, from memory
// where it was made before with the same facts.
func (p *Proxy) decide(x *exchange, g *sallyport.Grant, rt *route, class policy.AddressClass) policy.Decision {
	if g == nil {
		return policy.Decide(policy.Facts{Target: rt.allow, Address: class})
	}
	m := p.memo(g, rt)
	remembered := g.RememberedUntil.After(x.info.Start)
	slot := &m.decided[index(class.Trusted, remembered)]
	if d := slot.Load(); d != nil && d.location == class.Location {
		return d.Decision
	}
	d := &decided{location: class.Location, Decision: policy.Decide(factsOf(g, m.folded, rt.allow, class, remembered))}
	slot.Store(d)
	return d.Decision
}

func index(trusted, remembered bool) int {
	i := 0
	if trusted {
		i |= 1
	}
	if remembered {
		i |= 2
	}
	return i
}

func factsOf(g *sallyport.Grant, who person, target policy.Target, class policy.AddressClass, remembered bool) policy.Facts {
	return policy.Facts{
		Target:         target,
		SignedIn:       !sallyport.FirstFactorAt(g.Token.Proofs).IsZero(),
		UserName:       who.name,
		UserEmail:      who.email,
		State:          g.User.State,
		SignInDisabled: g.User.SignInDisabled,
		Groups:         g.Session.Groups,
		Strength:       sallyport.StrengthOf(g.Token.Proofs),
		Registered:     g.Registered,
		Reregister:     g.User.Reregister,
		Address:        class,
		Remembered:     remembered,
	}
}
