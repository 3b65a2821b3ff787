package parts

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Legacy is the ASP.NET application of examples/aspnet, running under Mono
// behind nginx. It believes the identity headers of whoever asks from
// 127.0.0.1, so to a test it looks as to a gateway on the same machine.
type Legacy struct {
	URL string // http://127.0.0.1:PORT, without a slash at the end
	Dir string // the copy of the application that is served
}

// LegacyOption changes the application's web.config before it starts.
type LegacyOption func(webConfig string) string

// WithUserHeader makes the application read the user from another header than
// X-Sallyport-User.
func WithUserHeader(name string) LegacyOption {
	return func(webConfig string) string {
		return strings.Replace(webConfig, `value="X-Sallyport-User"`, `value="`+name+`"`, 1)
	}
}

// ASPNet copies the application into a temporary folder and serves it. Mono
// compiles the pages at their first use, so the first answers are slow.
func ASPNet(t testing.TB, opts ...LegacyOption) *Legacy {
	t.Helper()
	hint := installHint + " (Debian: apt-get install nginx-light mono-fastcgi-server4 mono-mcs)"
	mono := needProgram(t, hint, "fastcgi-mono-server4")
	nginx := needProgram(t, hint, "nginx")
	needProgram(t, hint, "mcs") // compiles the pages

	dir := t.TempDir()
	app := filepath.Join(dir, "app")
	if err := os.CopyFS(app, os.DirFS(filepath.Join(Root(t), "examples", "aspnet"))); err != nil {
		t.Fatalf("copy the ASP.NET application: %v", err)
	}
	for _, opt := range opts {
		editFile(t, filepath.Join(app, "web.config"), opt)
	}
	backend := startMono(t, mono, dir, app)
	_, ports := server{
		name:  "nginx",
		ports: 1,
		command: func(ports []int) (*exec.Cmd, error) {
			conf, err := nginxConf(app, ports[0], backend)
			if err != nil {
				return nil, err
			}
			return exec.Command(nginx, "-e", "stderr", "-p", dir, "-c", conf), nil
		},
		ready: func(ctx context.Context, ports []int) error {
			return getOK(ctx, http.DefaultClient, "http://"+loopback(ports[0])+"/Login.aspx")
		},
	}.start(t)
	return &Legacy{URL: "http://" + loopback(ports[0]), Dir: app}
}

// startMono runs the FastCGI server and returns its port.
func startMono(t testing.TB, mono, dir, app string) int {
	t.Helper()
	tmp := filepath.Join(dir, "tmp") // for the compiled pages
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatalf("make a folder for Mono: %v", err)
	}
	_, ports := server{
		name:  "fastcgi-mono-server4",
		ports: 1,
		command: func(ports []int) (*exec.Cmd, error) {
			cmd := exec.Command(mono, "--applications=/:"+app, "--socket=tcp:"+loopback(ports[0]))
			cmd.Env = append(os.Environ(), "TZ=UTC", "TMPDIR="+tmp)
			return cmd, nil
		},
		ready: func(ctx context.Context, ports []int) error { return dialTCP(ctx, ports[0]) },
	}.start(t)
	return ports[0]
}

// nginxConf puts the ports into the application's own nginx.conf and returns
// the name of the file that results.
func nginxConf(app string, port, backend int) (string, error) {
	data, err := os.ReadFile(filepath.Join(app, "nginx.conf"))
	if err != nil {
		return "", err
	}
	conf := strings.NewReplacer(
		"127.0.0.1:8081", loopback(port),
		"127.0.0.1:9001", loopback(backend),
	).Replace(string(data))
	file := filepath.Join(filepath.Dir(app), "nginx.conf")
	return file, os.WriteFile(file, []byte(conf), 0o600)
}

func editFile(t testing.TB, file string, edit func(string) string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read a file of the application: %v", err)
	}
	changed := edit(string(data))
	if changed == string(data) {
		t.Fatalf("an option does not match %s any more", file)
	}
	writeFile(t, file, []byte(changed))
}

// getOK returns nil when url answers 200.
func getOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Close = true // leaves no idle connection behind
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}
