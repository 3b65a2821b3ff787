package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"sallyport"
	"sallyport/admin"
	"sallyport/config"
	"sallyport/gateway"
	"sallyport/identity/local"
	"sallyport/internal/demoapp"
	"sallyport/internal/seal"
)

// DemoCmd is `sallyport demo`.
type DemoCmd struct {
	Port int  `help:"Port of the gateway." default:"8443"`
	JSON bool `help:"Print one line of JSON instead of the instructions."`
}

// demoInfo is what the demo prints.
type demoInfo struct {
	URL      string `json:"url"`
	Portal   string `json:"portal"`
	Username string `json:"username"`
	Password string `json:"password"`
	CAFile   string `json:"ca_file"`
}

const (
	demoUser = "alice"
	demoName = "Alice Example"
)

// Run starts the app, the store and the gateway in a temporary folder, and
// removes it all when it is told to stop.
func (d *DemoCmd) Run(c *cli) (err error) {
	if d.Port < 1 || d.Port > 65535 {
		return usageError("--port must lie between 1 and 65535")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "sallyport-demo-")
	if err != nil {
		return fmt.Errorf("demo folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	log := slog.New(slog.NewTextHandler(c.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	app, err := startDemoApp(filepath.Join(dir, "app"), log)
	if err != nil {
		return err
	}
	defer app.close()
	cfg, err := d.config(dir, app.addr)
	if err != nil {
		return err
	}
	g, err := gateway.New(ctx, gateway.Options{Config: cfg, CreateStore: true, Log: log, Now: c.Now, Version: version()})
	if err != nil {
		var setting *sallyport.FieldError
		if errors.As(err, &setting) && setting.Path == "server.https" {
			return fmt.Errorf("%w; choose another with --port", err)
		}
		return err
	}
	info, err := d.prepare(ctx, c, g, cfg, dir)
	if err != nil {
		return errors.Join(err, g.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.Run(ctx) })
	group.Go(func() error { return app.run(ctx) })
	d.print(c, info)
	err = group.Wait()
	if !d.JSON {
		fmt.Fprintln(c.Stderr, "\nStopped; the demo's folder is removed.")
	}
	return err
}

// config writes the demo's routing file and loads it like any other.
func (d *DemoCmd) config(dir, upstream string) (*config.Config, error) {
	port := strconv.Itoa(d.Port)
	text := `version: 1
server:
  https: ["127.0.0.1:` + port + `"]
  http: ""
  admin: ""
  portal: login.localhost:` + port + `
  timeouts: {shutdown: 3s}
tls: {internal: true}
store: {sqlite: demo.db}
secrets: {master_key_file: master.key}
identity:
  - {name: local, type: local, label: Sallyport demo}
mfa:
  default_state: enabled
  issuer: Sallyport demo
  remember_device: {days: 14}
ui: {name: Sallyport demo}
routes:
  - name: timesheet
    label: Time sheet
    hosts: [timesheet.localhost]
    upstream: http://` + upstream + `
    preserve_host: true
    public: [/favicon.ico, /static/]
`
	if err := os.WriteFile(filepath.Join(dir, "master.key"), seal.Generate(), 0o600); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "sallyport.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return config.Load(file, os.LookupEnv)
}

// prepare adds the user and writes the CA's root where browsers can be shown it.
func (d *DemoCmd) prepare(ctx context.Context, c *cli, g *gateway.Gateway, cfg *config.Config, dir string) (demoInfo, error) {
	info := demoInfo{
		URL:      "https://timesheet.localhost:" + strconv.Itoa(d.Port),
		Portal:   cfg.PortalOrigin(),
		Username: demoUser,
		Password: demoPassword(),
		CAFile:   filepath.Join(dir, "root-ca.pem"),
	}
	if err := os.WriteFile(info.CAFile, g.RootCA(), 0o644); err != nil { // a certificate is public, and browsers of other users must read it
		return info, err
	}
	hasher, err := local.NewHasher(local.HashCost{})
	if err != nil {
		return info, err
	}
	hash, err := hasher.Hash(ctx, info.Password)
	if err != nil {
		return info, err
	}
	_, err = admin.NewUsers(g.Store(), c.Now, "system", "demo").Add(ctx, admin.NewUser{
		Name: demoUser, Email: "alice@example.com", DisplayName: demoName, State: sallyport.StateEnabled,
		Password: &admin.Password{Provider: "local", Hash: hash}})
	return info, err
}

// demoPassword is new each time: a fixed one would end up in front of something
// real.
func demoPassword() string {
	t := sallyport.NewToken()
	return "demo-" + t[:5] + "-" + t[5:10]
}

func (d *DemoCmd) print(c *cli, i demoInfo) {
	if d.JSON {
		_ = printJSON(c, i) // a closed standard output is no reason to stop serving
		return
	}
	fmt.Fprintf(c.Stdout, `Sallyport demo: a time sheet from 2006, behind sign-in and an authenticator app.

  Open       %s
  User       %s
  Password   %s
  Portal     %s
  CA         %s  (trust it, or click through the warning)

Try this:
  1. Open the address. You are asked to sign in, then to register an
     authenticator app: scan the code, or open the link on your phone.
  2. Keep the recovery codes; you arrive at the time sheet you asked for.
  3. Look at %s/headers: what the app is told about you.
  4. Sign out (%s/.sallyport/sign-out),
     sign in again, tick "Don't ask again", and try once more.
  5. Your security info: %s/.sallyport/security-info

Ctrl-C stops everything and removes the folder.
`, i.URL, i.Username, i.Password, i.Portal, i.CAFile, i.URL, i.URL, i.Portal)
}

// demoServer is the protected app on a loopback port of its own.
type demoServer struct {
	addr string
	app  *demoapp.App
	srv  *http.Server
	ln   net.Listener
}

func startDemoApp(dir string, log *slog.Logger) (*demoServer, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo app: %w", err)
	}
	app := demoapp.New(log, demoapp.Options{Dir: dir})
	return &demoServer{addr: ln.Addr().String(), app: app, ln: ln, srv: &http.Server{Handler: app,
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}}, nil
}

// run serves until ctx ends.
func (s *demoServer) run(ctx context.Context) error {
	end := context.AfterFunc(ctx, s.close)
	defer end()
	if err := s.srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("demo app: %w", err)
	}
	return nil
}

func (s *demoServer) close() {
	_ = s.app.Close() // ends its streams; the folder goes anyway
	_ = s.srv.Close()
}
