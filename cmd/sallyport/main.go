// Command sallyport is the gateway: it puts sign-in and multi-factor
// authentication in front of web apps that cannot do it themselves.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"
	_ "time/tzdata" // times are shown in ui.time_zone wherever the binary runs

	"github.com/alecthomas/kong"

	"sallyport/config"
)

// commands is the command line.
type commands struct {
	Demo    DemoCmd    `cmd:"" help:"Try it: a gateway with a demo app behind it, in a temporary folder."`
	Init    InitCmd    `cmd:"" help:"Write a commented routing file and a master key."`
	Serve   ServeCmd   `cmd:"" help:"Run the gateway."`
	Config  ConfigCmd  `cmd:"" help:"Check, show or describe the routing file."`
	User    UserCmd    `cmd:"" help:"Add and change users; works while the gateway runs."`
	Explain ExplainCmd `cmd:"" help:"Say what would happen to a request, and why; changes nothing."`
	Audit   AuditCmd   `cmd:"" help:"Read and verify the audit log."`
	Backup  BackupCmd  `cmd:"" help:"Copy the database while the gateway runs."`
	Migrate MigrateCmd `cmd:"" help:"Create the database, or bring it up to this version."`
	Version VersionCmd `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(run(os.Args[1:], &cli{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now}))
}

// run is main without the process: it returns the exit code, 0 done, 1 said no,
// 2 wrong usage.
func run(args []string, c *cli) (code int) {
	var exited *int
	k, err := kong.New(&commands{}, kong.Name("sallyport"),
		kong.Description("Sign-in and multi-factor authentication in front of web apps that cannot do it themselves."),
		kong.Writers(c.Stdout, c.Stderr), kong.UsageOnError(),
		kong.Exit(func(code int) { exited = &code }), kong.Bind(c))
	if err != nil {
		fmt.Fprintln(c.Stderr, "sallyport:", err)
		return exitUsage
	}
	ctx, err := k.Parse(args)
	if exited != nil { // --help
		return *exited
	}
	if err != nil {
		fmt.Fprintf(c.Stderr, "sallyport: %v\nSee sallyport --help.\n", err)
		return exitUsage
	}
	if err := ctx.Run(c); err != nil {
		return report(c.Stderr, err)
	}
	return 0
}

// report writes an error for people and returns its exit code.
func report(w io.Writer, err error) int {
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(w, "sallyport:", err)
		return exitUsage
	}
	var faults config.Errors
	if errors.As(err, &faults) {
		fmt.Fprintln(w, faults.Render())
		return exitNo
	}
	fmt.Fprintln(w, "sallyport:", err)
	return exitNo
}

// VersionCmd is `sallyport version`.
type VersionCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version.
func (v *VersionCmd) Run(c *cli) error {
	if v.JSON {
		return printJSON(c, map[string]string{"version": version()})
	}
	_, err := fmt.Fprintln(c.Stdout, "sallyport", version())
	return err
}

// version is what the build recorded: a module version, or the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && (v == "" || v == "(devel)") {
			v = s.Value[:12]
		}
	}
	if v == "" || v == "(devel)" {
		return "development"
	}
	return v
}
