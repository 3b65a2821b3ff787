package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"sallyport/gateway"
)

// ExplainCmd is `sallyport explain`.
type ExplainCmd struct {
	adminFlags
	User string `help:"Who asks: name, address or ID; nobody if left out."`
	URL  string `required:"" help:"What is asked for: https://timesheet.example.com/week/42"`
	IP   string `help:"From which address."`
}

// Run explains; it changes nothing.
func (e *ExplainCmd) Run(c *cli) error {
	var ip netip.Addr
	if e.IP != "" {
		var err error
		if ip, err = netip.ParseAddr(e.IP); err != nil {
			return usageError(fmt.Sprintf("--ip %q is not an address", e.IP))
		}
	}
	ctx := context.Background()
	cfg, db, err := openStore(ctx, c, e.Config)
	if err != nil {
		return err
	}
	x, err := gateway.Explain(ctx, cfg, db, gateway.Question{User: e.User, URL: e.URL, Address: ip})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if e.JSON {
		return printJSON(c, x)
	}
	printExplanation(c.Stdout, x)
	return nil
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
	for _, s := range x.Stages {
		fmt.Fprintf(w, "\n%s: %s by rule %s\n", s.When, s.Decision.Effect, s.Decision.Rule)
		if n := s.Decision.Need; !n.Zero() {
			fmt.Fprintf(w, "  needs: %s\n", gateway.DescribeNeed(n))
		}
		for _, r := range s.Decision.Reasons {
			fmt.Fprintf(w, "  - %s\n", r)
		}
	}
}
