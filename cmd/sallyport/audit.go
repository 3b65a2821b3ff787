package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/store"
)

// AuditCmd groups the commands on the audit log.
type AuditCmd struct {
	List   AuditListCmd   `cmd:"" help:"List events, latest first."`
	Verify AuditVerifyCmd `cmd:"" help:"Prove that the log is whole: every event in its place in the hash chain."`
}

// AuditListCmd is `sallyport audit list`.
type AuditListCmd struct {
	adminFlags
	User        string `help:"Only events of this user (name, address or ID)."`
	Since       string `help:"Only events since then: 24h, 7d, or 2026-11-22T08:00:00Z." placeholder:"WHEN"`
	Result      string `help:"Only this result: success, failure, denied, interrupt or expired." enum:",success,failure,denied,interrupt,expired" default:""`
	Kind        string `help:"Only this kind, such as sign-in.summary."`
	Flow        string `help:"Only events of this flow."`
	Correlation string `aliases:"request" help:"Only events with this request ID (correlation ID), as on an error page; --request is the same."`
	Limit       int    `help:"At most this many." default:"1000"`
}

// Run lists events.
func (a *AuditListCmd) Run(c *cli) error {
	if a.Limit < 1 || a.Limit > 1_000_000 {
		return usageError("--limit must lie between 1 and 1000000")
	}
	since, err := parseSince(a.Since, c.Now())
	if err != nil {
		return err
	}
	ctx := context.Background()
	_, db, err := openStore(ctx, c, a.Config)
	if err != nil {
		return err
	}
	user := a.User
	if folded, err := sallyport.FoldName(a.User); err == nil {
		if u, err := db.UserByName(ctx, folded); err == nil {
			user = string(u.ID)
		}
	}
	events, more, err := latest(ctx, db, audit.Filter{User: user, Since: since, Result: audit.Result(a.Result), Kind: audit.Kind(a.Kind),
		FlowID: sallyport.FlowID(a.Flow), CorrelationID: a.Correlation}, a.Limit)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(c.Stderr, "the latest %d events; there are more: --limit says how many to show\n", a.Limit)
	}
	if a.JSON {
		for _, ev := range events {
			if err := printJSON(c, ev); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tKIND\tRESULT\tUSER\tADDRESS\tREASON\tCODE\tCORRELATION")
	for _, ev := range events {
		address := ""
		if ev.Address.IsValid() {
			address = ev.Address.String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", when(ev.Time), ev.Kind, ev.Result, plain(ev.UserName), address, reason(ev.Reason), ev.Code, ev.CorrelationID)
	}
	return w.Flush()
}

// latest returns the latest events of f, at most limit, and whether there are more.
// One answer of the store is shorter than what an admin may ask for.
func latest(ctx context.Context, db *store.DB, f audit.Filter, limit int) (events []audit.Event, more bool, err error) {
	for len(events) <= limit {
		f.Limit = limit + 1 - len(events)
		part, err := db.Events(ctx, f)
		if err != nil {
			return nil, false, err
		}
		if len(part) == 0 {
			return events, false, nil
		}
		events, f.Before = append(events, part...), part[len(part)-1].Seq
	}
	return events[:limit], true, nil
}

// parseSince reads a duration before now ("24h", "7d") or a time (RFC 3339).
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	var days int
	if n, err := fmt.Sscanf(s, "%dd", &days); err == nil && n == 1 && fmt.Sprintf("%dd", days) == s && days >= 0 {
		return now.AddDate(0, 0, -days), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usageError(fmt.Sprintf("--since %q: write 24h, 7d, 2026-11-22 or 2026-11-22T08:00:00Z", s))
}

// AuditVerifyCmd is `sallyport audit verify`.
type AuditVerifyCmd struct{ adminFlags }

// Run verifies the chain.
func (a *AuditVerifyCmd) Run(c *cli) error {
	ctx := context.Background()
	_, db, err := openStore(ctx, c, a.Config)
	if err != nil {
		return err
	}
	if err := errors.Join(db.VerifyChain(ctx), db.Close()); err != nil {
		return err
	}
	return a.print(c, map[string]bool{"whole": true}, "the audit log is whole\n")
}
