package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/audit"
	"sallyport/config"
	"sallyport/gateway"
)

// ExplainCmd is `sallyport explain`.
type ExplainCmd struct {
	adminFlags
	User        string `help:"Who asks: name, address or ID; nobody if left out."`
	URL         string `xor:"what" help:"What is asked for: https://timesheet.example.com/week/42"`
	IP          string `help:"From which address."`
	Correlation string `aliases:"request" xor:"what" help:"Explain a past attempt instead: the request ID (correlation ID) that the page showed; --request is the same." placeholder:"ID"`
}

// Run explains; it changes nothing.
func (e *ExplainCmd) Run(c *cli) error {
	if e.URL == "" && (e.User != "" || e.IP != "") {
		return usageError("--user and --ip go with --url: a past attempt has its own")
	}
	if e.URL == "" && e.Correlation == "" {
		return usageError("say what to explain: --url or --correlation")
	}
	var ip netip.Addr
	if e.IP != "" {
		var err error
		if ip, err = netip.ParseAddr(e.IP); err != nil {
			return usageError(fmt.Sprintf("--ip %q is not an address", e.IP))
		}
	}
	ctx := context.Background()
	x, err := e.explain(ctx, c, ip)
	if err != nil {
		return err
	}
	if e.JSON {
		return printJSON(c, x)
	}
	switch x := x.(type) {
	case *gateway.Past:
		return printPast(c.Stdout, x)
	case *gateway.Explanation:
		printExplanation(c.Stdout, x)
	}
	return nil
}

// explain asks. A past attempt is in the database; what would happen to a request
// takes the whole routing file to say.
func (e *ExplainCmd) explain(ctx context.Context, c *cli, ip netip.Addr) (any, error) {
	if e.URL == "" {
		_, db, err := openStore(ctx, c, e.Config)
		if err != nil {
			return nil, err
		}
		x, err := gateway.ExplainPast(ctx, db, e.Correlation)
		return x, errors.Join(err, db.Close())
	}
	cfg, err := config.Load(e.Config, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	db, err := openDB(ctx, c, cfg, false)
	if err != nil {
		return nil, err
	}
	x, err := gateway.Explain(ctx, cfg, db, gateway.Question{User: e.User, URL: e.URL, Address: ip})
	return x, errors.Join(err, db.Close())
}

func printExplanation(w io.Writer, x *gateway.Explanation) {
	public := ""
	if x.Public {
		public = " (a public path)"
	}
	fmt.Fprintf(w, "%s belongs to route %s%s\n", plain(x.URL), x.Route, public)
	if x.User != "" {
		fmt.Fprintf(w, "%s: state %s, %d method(s) registered\n", plain(x.User), x.State, x.Methods)
	}
	for _, l := range x.Locked {
		fmt.Fprintf(w, "locked: %s until %s\n", describeLock(l), when(l.Until))
	}
	for _, s := range x.Stages {
		fmt.Fprintf(w, "\n%s: %s by rule %s\n", s.When, s.Decision.Effect, s.Decision.Rule)
		if n := s.Decision.Need; !n.Zero() {
			fmt.Fprintf(w, "  needs: %s\n", gateway.DescribeNeed(n))
		}
		if s.Decision.Code != "" {
			fmt.Fprintf(w, "  code: %s\n", s.Decision.Code)
		}
		for _, r := range s.Decision.Reasons {
			fmt.Fprintf(w, "  - %s\n", r)
		}
	}
}

// printPast writes a past attempt for people.
func printPast(out io.Writer, p *gateway.Past) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(key string, words ...string) {
		if text := joined(words...); text != "" {
			fmt.Fprintf(w, "%s:\t%s\n", key, plain(text))
		}
	}
	fmt.Fprintf(w, "Correlation ID:\t%s\n", p.CorrelationID)
	line("Who", known(p.User, "nobody is known"), p.Name, p.Email)
	line("When", when(p.Time))
	place, address := p.Place, "the address could not be told"
	if p.Address.IsValid() {
		address = p.Address.String()
	}
	line("Where", address, place, p.Client, p.UserAgent)
	line("Route", known(p.Route, "the portal"))
	if len(p.Flows) > 0 {
		demanded := "sign-in"
		if p.Demanded != "" {
			demanded += ", then verification (" + p.Demanded + ")"
		}
		line("Demanded", demanded)
	}
	line("By rule", p.Rule)
	var proven []string
	for _, s := range p.Proven {
		text := string(s.Method)
		if s.Device != "" {
			text += " (" + s.Device + ")"
		}
		proven = append(proven, text+" at "+when(s.Time))
	}
	line("Proven", known(strings.Join(proven, "; "), "nothing in this attempt"))
	line("Skipped because of", p.Skipped)
	line("Result", string(p.Result), p.Reason)
	if p.Code != "" {
		line("Code", string(p.Code)+": "+p.Meaning)
		line("What to do", p.Advice)
	}
	if o := p.Outcome; o != nil {
		line("The sign-in ended", string(o.Result), o.Reason, string(o.Code), "after "+o.Duration.Round(time.Second).String())
	} else if len(p.Flows) > 0 {
		line("The sign-in ended", "not yet")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nWhat happened; * is the request with this ID:")
	return printSteps(out, p)
}

func printSteps(out io.Writer, p *gateway.Past) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\tTIME\tKIND\tRESULT\tMETHOD\tDEVICE\tREASON\tCODE")
	for _, ev := range p.Events {
		mark := ""
		if ev.CorrelationID == p.CorrelationID && ev.Result != audit.Expired {
			mark = "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", mark, when(ev.Time), ev.Kind, ev.Result, ev.Method, plain(ev.Device), reason(ev.Reason), ev.Code)
	}
	return w.Flush()
}

// joined puts what there is of the words into a row.
func joined(words ...string) string {
	var some []string
	for _, word := range words {
		if word != "" {
			some = append(some, word)
		}
	}
	return strings.Join(some, ", ")
}

func known(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
