package challenge

import (
	"context"
	"net/http"
	"strings"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/reqctx"
	"sallyport/policy"
)

// maxText bounds what a client's text takes in an event.
const maxText = 256

// requestEvent is an event with what every event of a request carries.
func (c *Challenge) requestEvent(r *http.Request, now time.Time, kind audit.Kind, result audit.Result) audit.Event {
	ev := audit.New(now, kind, result)
	info := reqctx.From(r.Context())
	ev.CorrelationID = info.CorrelationID
	ev.Actor, ev.Client = "user", "browser"
	ev.Address = info.Client
	ev.Place = c.addresses.Class(info.Client).Location
	ev.UserAgent = clip(r.UserAgent())
	return ev
}

// event is an event of the flow.
func (x *run) event(kind audit.Kind, result audit.Result) audit.Event {
	ev := x.c.requestEvent(x.r, x.now, kind, result)
	ev.FlowID, ev.Route, ev.Provider = x.f.ID, x.f.Route, x.f.Provider
	ev.UserID = x.f.UserID
	if x.user.ID == x.f.UserID {
		ev.About(x.user)
	}
	return ev
}

// stepEvent is an event of a step, with how long the person took.
func (x *run) stepEvent(kind audit.Kind, result audit.Result) audit.Event {
	ev := x.event(kind, result)
	if !x.data.Since.IsZero() && x.now.After(x.data.Since) {
		ev.Duration = x.now.Sub(x.data.Since)
	}
	return ev
}

// interrupt is the event of being asked for something; it is no failure and
// counts nowhere as one.
func (x *run) interrupt(step string, d policy.Decision) (audit.Event, bool) {
	kind := audit.SignInVerify
	switch step {
	case stepRegister:
		kind = audit.SignInRegister
	case stepVerify:
	default:
		return audit.Event{}, false
	}
	result := audit.Interrupt
	if d.Effect == policy.Deny {
		result = audit.Denied
	}
	ev := x.event(kind, result)
	ev.Demanded, ev.Rule, ev.Code = string(d.Need.Strength), d.Rule, d.Code
	ev.Reason = lastReason(d)
	return ev, true
}

// skip is the event of verification that was not asked for.
func (x *run) skip(d policy.Decision) audit.Event {
	ev := x.event(audit.SignInSkip, audit.Success)
	ev.Rule, ev.Skipped, ev.Reason = d.Rule, d.Skipped, lastReason(d)
	return ev
}

func lastReason(d policy.Decision) string {
	if len(d.Reasons) == 0 {
		return ""
	}
	return d.Reasons[len(d.Reasons)-1].String()
}

// summary is the last event of a flow that ends now.
func (x *run) summary(result audit.Result, d policy.Decision) audit.Event {
	ev := x.event(audit.SignInSummary, result)
	ev.Rule, ev.Skipped, ev.Code = d.Rule, d.Skipped, d.Code
	ev.Demanded = string(d.Need.Strength)
	ev.Reason = lastReason(d)
	ev.Duration = x.now.Sub(x.f.CreatedAt)
	var earlier []audit.Event
	if !x.unsaved {
		var err error
		if earlier, err = x.c.store.FlowEvents(x.r.Context(), x.f.ID); err != nil {
			// The summary repeats what is in the log already: better one without
			// its parts than none.
			x.c.log.Warn("cannot read the events of a flow for its summary", "flow_id", x.f.ID, "error", err)
		}
	}
	complete(&ev, append(earlier, x.events...))
	return ev
}

// complete fills in a summary from the events of its flow.
func complete(summary *audit.Event, events []audit.Event) {
	for _, e := range events {
		switch e.Kind {
		case audit.SignInPassword, audit.SignInFederated, audit.SignInVerify, audit.SignInRegister:
		default:
			continue
		}
		if summary.Demanded == "" {
			summary.Demanded = e.Demanded
		}
		if e.Result == audit.Interrupt {
			continue
		}
		if e.Result == audit.Success && e.Method != "" {
			summary.Method, summary.Device = e.Method, e.Device
		}
		summary.Steps = append(summary.Steps, audit.Step{Time: e.Time, Method: e.Method, Device: e.Device,
			Result: e.Result, Reason: e.Reason, Duration: e.Duration})
	}
}

// expiry makes the last event of a flow that nobody finished. One in which nobody
// ever tried anything has none: anybody can open the sign-in page, and the log is
// not for them to fill.
func (c *Challenge) expiry(ctx context.Context, f *sallyport.Flow) []audit.Event {
	events, err := c.store.FlowEvents(ctx, f.ID)
	if err != nil {
		c.log.Warn("cannot read the events of a flow for its summary", "flow_id", f.ID, "error", err)
	}
	if len(events) == 0 && f.UserID == "" {
		return nil
	}
	ev := audit.New(c.now(), audit.SignInSummary, audit.Expired)
	ev.FlowID, ev.Route, ev.UserID, ev.Provider = f.ID, f.Route, f.UserID, f.Provider
	ev.Actor, ev.Client, ev.Reason = "user", "browser", "left-at-"+f.Step
	ev.Duration = f.ExpiresAt.Sub(f.CreatedAt)
	if n := len(events); n > 0 {
		last := events[n-1]
		ev.CorrelationID, ev.Address, ev.Place, ev.UserAgent = last.CorrelationID, last.Address, last.Place, last.UserAgent
		ev.UserName, ev.Name, ev.Email, ev.Code = last.UserName, last.Name, last.Email, last.Code
		ev.Node, ev.NodeAddress, ev.Rule = last.Node, last.NodeAddress, last.Rule
	}
	complete(&ev, events)
	return []audit.Event{ev}
}

// lockout is the event of a lane that a wrong guess has just locked.
func lockout(ev audit.Event, kind sallyport.AttemptKind, lane sallyport.Lane, until time.Time) audit.Event {
	ev.ID, ev.Kind, ev.Result = sallyport.NewID(), audit.LockedOut, audit.Denied
	ev.Reason = string(kind) + " in lane " + string(lane)
	ev.After = "locked until " + until.UTC().Format(time.RFC3339)
	ev.Duration = 0
	return ev
}

func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "")
}
