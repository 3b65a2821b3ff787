//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The demo serves what it prints, its certificate is good under the CA that it
// names, and Ctrl-C stops everything and removes the folder.
func TestDemo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	var messages bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run([]string{"demo", "--json", "--port", strconv.Itoa(port)}, &cli{Stdin: strings.NewReader(""), Stdout: in, Stderr: &messages, Now: time.Now})
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the demo printed nothing and ended with %d: %s", <-code, messages.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	var info demoInfo
	if err := json.Unmarshal(line, &info); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for _, s := range []string{info.URL, info.Portal, info.Username, info.Password, info.CAFile} {
		if s == "" {
			t.Errorf("something is missing in %s", line)
		}
	}
	pem, err := os.ReadFile(info.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}}
	req, err := http.NewRequest(http.MethodGet, info.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.HasPrefix(resp.Request.URL.String(), info.Portal) || !bytes.Contains(page, []byte(`name="password"`)) {
		t.Errorf("%s led to %s (%d), not to the sign-in page", info.URL, resp.Request.URL, resp.StatusCode)
	}
	client.CloseIdleConnections()
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-code:
		if c != 0 {
			t.Errorf("the demo ended with %d: %s", c, messages.String())
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the demo did not stop")
	}
	if _, err := os.Stat(filepath.Dir(info.CAFile)); !os.IsNotExist(err) {
		t.Errorf("the demo's folder is still there (%v)", err)
	}
}

// A port that is taken: why, once, and what to do about it.
func TestDemoPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var out, messages bytes.Buffer
	code := run([]string{"demo", "--port", strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)},
		&cli{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &messages, Now: time.Now})
	if got := messages.String(); code != exitNo || out.Len() > 0 || strings.Count(got, "in use") != 1 || !strings.Contains(got, "; choose another with --port\n") {
		t.Errorf("%d, %q, %q", code, out.String(), got)
	}
}

// The instructions lead to what they name.
func TestDemoInstructions(t *testing.T) {
	var out bytes.Buffer
	new(DemoCmd).print(&cli{Stdout: &out}, demoInfo{URL: "https://timesheet.localhost:8443", Portal: "https://login.localhost:8443"})
	for _, want := range []string{"Sign out (https://timesheet.localhost:8443/.sallyport/sign-out)", "https://timesheet.localhost:8443/headers:",
		"https://login.localhost:8443/.sallyport/security-info\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "%!") {
		t.Error(out.String())
	}
}
