// Package examples holds runnable set-ups; its tests load each of their routing
// files, and go to their apps as a browser does, so that none of them goes stale.
package examples

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/config"
	"sallyport/gateway"
	"sallyport/internal/seal"
)

func TestRoutingFilesLoad(t *testing.T) {
	each(t, func(t *testing.T, path string) { load(t, path) })
}

// Whoever opens an app of an example ends on its sign-in page: the portal is
// found on a port on which the gateway is reached. The listeners lie elsewhere
// than the file says, so that no port of this machine is needed; a browser of the
// test finds them on the example's ports, and nothing on any other.
func TestRedirectsLeadToThePortal(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		cfg := load(t, path)
		ports := publicPorts(t, path, cfg)
		client := serve(t, cfg, ports)
		for _, address := range append(opened(t, path), addresses(cfg, ports)...) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
			resp, err := client.Do(req)
			if err != nil {
				t.Errorf("%s does not lead to the portal: %v", address, err)
				continue
			}
			page, err := io.ReadAll(resp.Body)
			if err := errors.Join(err, resp.Body.Close()); err != nil {
				t.Fatal(err)
			}
			if at := resp.Request.URL; resp.StatusCode != http.StatusOK || "https://"+at.Host != cfg.PortalOrigin() || !strings.Contains(string(page), `name="username"`) {
				t.Errorf("%s leads to %s (%d), not to the sign-in page", address, at, resp.StatusCode)
			}
		}
	})
}

// each runs a test for the routing file of each example.
func each(t *testing.T, test func(t *testing.T, path string)) {
	found := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) != "sallyport.yaml" {
			return err
		}
		found++
		t.Run(path, func(t *testing.T) { test(t, path) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 4 {
		t.Errorf("%d routing files among the examples, want at least 4", found)
	}
}

// load loads a copy of the file whose paths lead into a temporary folder: the
// folders that it names belong to the machine it is meant for.
func load(t *testing.T, path string) *config.Config {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	local := regexp.MustCompile(`/(var/lib/sallyport|run/secrets|etc/sallyport)/`).ReplaceAllString(string(text), "")
	for _, key := range regexp.MustCompile(`master_key_file: *(\S+)`).FindAllStringSubmatch(local, -1) {
		if err := os.WriteFile(filepath.Join(dir, key[1]), seal.Generate(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "sallyport.yaml")
	if err := os.WriteFile(file, []byte(local), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatalf("%s does not load:\n%v", path, strings.ReplaceAll(err.Error(), dir, ""))
	}
	return cfg
}

// publicPorts are the ports by which browsers reach the gateway's https, the
// usual one first: those it listens on, or those that are published in front.
func publicPorts(t *testing.T, path string, cfg *config.Config) []string {
	published := map[string]string{}
	compose, err := os.ReadFile(filepath.Join(filepath.Dir(path), "compose.yaml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"(\d+):(\d+)"`).FindAllStringSubmatch(string(compose), -1) {
		published[m[2]] = m[1]
	}
	var out []string
	for _, listener := range cfg.Server.HTTPS {
		_, port, err := net.SplitHostPort(listener)
		if err != nil {
			t.Fatal(err)
		}
		if len(compose) > 0 {
			port = published[port]
		}
		out = append(out, port)
	}
	return out
}

// opened are the addresses that the README says to open.
func opened(t *testing.T, path string) []string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(path), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`[Oo]pen\s+(https://[\w.:-]*\w)`).FindAllStringSubmatch(string(text), -1) {
		out = append(out, m[1])
	}
	return out
}

// addresses are those of the apps.
func addresses(cfg *config.Config, ports []string) []string {
	port := ""
	if ports[0] != "443" {
		port = ":" + ports[0]
	}
	var out []string
	for _, r := range cfg.Routes {
		for _, h := range r.Hosts {
			out = append(out, "https://"+h+port+"/")
		}
	}
	return out
}

// serve runs a gateway until the test ends, and returns a browser that reaches it
// on these ports of whatever host.
func serve(t *testing.T, cfg *config.Config, ports []string) *http.Client {
	cfg.Server.HTTPS, cfg.Server.HTTP, cfg.Server.Admin = config.Listen{"127.0.0.1:0"}, nil, nil
	cfg.TLS = config.TLS{Internal: true} // no ACME server is asked
	ctx, cancel := context.WithCancel(context.Background())
	g, err := gateway.New(ctx, gateway.Options{Config: cfg, CreateStore: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the gateway stopped: %v", err)
		}
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(g.RootCA())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(ports, port) {
				return nil, fmt.Errorf("the gateway is not reached on port %s, only on %s", port, strings.Join(ports, ", "))
			}
			return new(net.Dialer).DialContext(ctx, network, g.Addr("https").String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}
}
