package gateway

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/store"
	"sallyport/web"
)

// Past is the whole decision of a past attempt, put together from the audit log:
// the events with a correlation ID and those of the flow that they belong to.
type Past struct {
	CorrelationID string             `json:"correlation_id"`
	Flows         []sallyport.FlowID `json:"flows,omitempty"`
	Time          time.Time          `json:"time"`
	UserID        sallyport.UserID   `json:"user_id,omitempty"`
	User          string             `json:"user,omitempty"` // as typed, when nobody is known
	Name          string             `json:"name,omitempty"`
	Email         string             `json:"email,omitempty"`
	Address       netip.Addr         `json:"address,omitzero"`
	Place         string             `json:"place,omitempty"`
	Client        string             `json:"client,omitempty"`
	UserAgent     string             `json:"user_agent,omitempty"`
	Node          string             `json:"node,omitempty"`
	Route         string             `json:"route,omitempty"` // "" is the portal
	Demanded      string             `json:"demanded,omitempty"`
	Rule          string             `json:"rule,omitempty"`
	Proven        []audit.Step       `json:"proven,omitempty"`
	Skipped       string             `json:"skipped,omitempty"` // what made a verification unnecessary
	// Result, Reason and Code are of the request with the ID; Meaning and Advice
	// are what docs/errors.md says of the code.
	Result  audit.Result   `json:"result"`
	Reason  string         `json:"reason,omitempty"`
	Code    sallyport.Code `json:"code,omitempty"`
	Meaning string         `json:"meaning,omitempty"`
	Advice  string         `json:"advice,omitempty"`
	// Outcome is the end of the flow; nil while it goes on, or without one.
	Outcome *Outcome      `json:"outcome,omitempty"`
	Events  []audit.Event `json:"events"` // oldest first
}

// Outcome is how a flow ended.
type Outcome struct {
	Result   audit.Result   `json:"result"`
	Reason   string         `json:"reason,omitempty"`
	Code     sallyport.Code `json:"code,omitempty"`
	Time     time.Time      `json:"time"`
	Duration time.Duration  `json:"duration_ns,omitempty"`
}

// ExplainPast explains the attempt with a correlation ID; it only reads. What the
// copy button of an error page gives, the code and the ID, will do as well.
func ExplainPast(ctx context.Context, db *store.DB, id string) (*Past, error) {
	if words := strings.Fields(id); len(words) > 0 {
		id = strings.ToLower(words[len(words)-1])
	}
	if id == "" {
		return nil, fmt.Errorf("an empty correlation ID: %w", sallyport.ErrNotFound)
	}
	events, err := db.Events(ctx, audit.Filter{CorrelationID: id})
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("no event in the audit log has the correlation ID %q: it is misspelt, or older than `audit.retention`, "+
			"or of a request that is in the gateway's log alone: %w", id, sallyport.ErrNotFound)
	}
	p := &Past{CorrelationID: id}
	for _, ev := range events {
		if ev.FlowID != "" && !slices.Contains(p.Flows, ev.FlowID) {
			p.Flows = append(p.Flows, ev.FlowID)
		}
	}
	for _, flow := range p.Flows {
		more, err := db.Events(ctx, audit.Filter{FlowID: flow})
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	slices.SortFunc(events, func(a, b audit.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	p.Events = slices.CompactFunc(events, func(a, b audit.Event) bool { return a.Seq == b.Seq })
	for i := range p.Events {
		p.add(&p.Events[i])
	}
	p.Meaning, p.Advice = web.DescribeCode(p.Code)
	return p, nil
}

// add takes over what an event tells; later ones know better.
func (p *Past) add(ev *audit.Event) {
	p.UserID, p.User = cmp.Or(ev.UserID, p.UserID), cmp.Or(ev.UserName, p.User)
	p.Name, p.Email = cmp.Or(ev.Name, p.Name), cmp.Or(ev.Email, p.Email)
	p.Client, p.Route = cmp.Or(ev.Client, p.Client), cmp.Or(ev.Route, p.Route)
	p.Demanded, p.Rule = cmp.Or(ev.Demanded, p.Demanded), cmp.Or(ev.Rule, p.Rule)
	p.Skipped = cmp.Or(ev.Skipped, p.Skipped)
	if ev.CorrelationID == p.CorrelationID && ev.Result != audit.Expired {
		p.Time, p.Node = ev.Time, ev.Node
		p.Address, p.Place, p.UserAgent = ev.Address, ev.Place, ev.UserAgent
		p.Result, p.Reason, p.Code = ev.Result, ev.Reason, cmp.Or(ev.Code, p.Code)
	}
	switch ev.Kind {
	case audit.SignInSummary:
		p.Outcome = &Outcome{Result: ev.Result, Reason: ev.Reason, Code: ev.Code, Time: ev.Time, Duration: ev.Duration}
	case audit.SignInPassword, audit.SignInFederated, audit.SignInVerify, audit.SignInRegister, audit.DeviceUsed:
		if ev.Result == audit.Success {
			p.Proven = append(p.Proven, audit.Step{Time: ev.Time, Method: cmp.Or(ev.Method, sallyport.Kind(ev.Kind)), Device: ev.Device, Result: ev.Result})
		}
	}
}
