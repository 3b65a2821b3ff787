package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"sallyport/internal/parts"
	"sallyport/sallyporttest"
)

const password = "correct horse battery"

// chromium starts a browser that trusts the gateways for these hosts. The internal
// CA's certificates come without the root, and Chromium's list of trusted keys
// knows only what the server sends: so it is given each host's own certificate.
func chromium(t *testing.T, gateways []*sallyporttest.Gateway, hosts []string, opts ...parts.BrowserOption) *parts.Browser {
	t.Helper()
	var leaves bytes.Buffer
	for _, g := range gateways {
		for _, host := range hosts {
			conn, err := tls.Dial("tcp", "127.0.0.1:"+g.Port, &tls.Config{ServerName: host, RootCAs: g.Roots})
			if err != nil {
				t.Fatalf("the certificate of %s: %v", host, err)
			}
			leaf := conn.ConnectionState().PeerCertificates[0]
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			if err := pem.Encode(&leaves, &pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "leaves.pem")
	if err := os.WriteFile(file, leaves.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return parts.Chromium(t, append([]parts.BrowserOption{parts.WithCA(file)}, opts...)...)
}

// person sits at a browser.
type person struct {
	t       *testing.T
	g       *sallyporttest.Gateway
	b       *parts.Browser
	ctx     context.Context
	lang    string
	work    view   // in which the person works; look uses both
	secret  string // of the authenticator app
	codes   []string
	english []string // what a page in another language must not say
}

type view struct{ width, height int64 }

var (
	desk  = view{1280, 900}
	phone = view{390, 844}
)

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatalf("at %s: %v", p.where(), err)
	}
}

// goes runs steps that lead to another page, waits for it, and returns its status.
func (p *person) goes(steps ...chromedp.Action[chromedp.Void]) int64 {
	p.t.Helper()
	from := p.where()
	resp, err := chromedp.RunResponse(p.ctx, steps...)
	if err != nil {
		p.t.Fatalf("from %s: %v", from, err)
	}
	if resp == nil {
		return 0
	}
	return resp.Status
}

func (p *person) open(address string) int64 {
	p.t.Helper()
	return p.goes(chromedp.Navigate(address))
}

// press clicks what leads to another page.
func (p *person) press(selector string) int64 {
	p.t.Helper()
	return p.goes(chromedp.Click(selector))
}

// fill types into the field of that name, in place of what is there.
func (p *person) fill(name, value string) {
	p.t.Helper()
	sel := "input[name=" + name + "]"
	eval[string](p, fmt.Sprintf("document.querySelector(%q).value = ''", sel))
	if value != "" {
		p.do(chromedp.SendKeys(sel, value))
	}
}

// submit sends the form that holds the field of that name, by its main button.
func (p *person) submit(name string) int64 {
	p.t.Helper()
	return p.press("form:has([name=" + name + "]) button.primary")
}

// eval evaluates an expression in the page.
func eval[T any](p *person, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (p *person) where() string {
	s, err := chromedp.Run(p.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return s
}

func (p *person) text() string {
	p.t.Helper()
	return eval[string](p, "document.body.innerText")
}

// wants says which page this must be: a selector that is there.
func (p *person) wants(what, selector string) {
	p.t.Helper()
	if !eval[bool](p, fmt.Sprintf("!!document.querySelector(%q)", selector)) {
		p.t.Fatalf("no %s (%s) at %s:\n%s", what, selector, p.where(), p.text())
	}
}

func (p *person) has(selector string) bool {
	p.t.Helper()
	return eval[bool](p, fmt.Sprintf("!!document.querySelector(%q)", selector))
}

// contains fails unless the page shows s.
func (p *person) contains(s string) {
	p.t.Helper()
	if text := p.text(); !strings.Contains(text, s) {
		p.t.Errorf("%q is not on %s:\n%s", s, p.where(), text)
	}
}

func (p *person) resize(v view) {
	p.t.Helper()
	var opts []chromedp.EmulateViewportOption
	if v.width < 600 {
		opts = append(opts, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	p.do(chromedp.EmulateViewport(v.width, v.height, opts...))
}

// media emulates colour scheme and medium, without motion: axe-core would judge
// colours on their way.
func (p *person) media(medium, scheme string) {
	p.t.Helper()
	p.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium,
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}))
}

func (p *person) scripts(on bool) {
	p.t.Helper()
	p.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}))
}

func call[P, R any](cmd cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cmd, params)
		return err
	})
}

// newPerson opens a browser's first tab.
func newPerson(t *testing.T, g *sallyporttest.Gateway, b *parts.Browser, lang string, work view) *person {
	t.Helper()
	p := &person{t: t, g: g, b: b, lang: lang, work: work}
	if lang != "en" {
		p.english = english(t)
	}
	p.tab()
	return p
}

// tab goes on in another tab of the same browser, with the same cookies: the time
// that a tab may take is limited.
func (p *person) tab() {
	p.t.Helper()
	p.ctx = p.b.Tab()
	p.resize(p.work)
	p.media("", "light")
	p.do(acceptLanguage(p.lang))
}

func acceptLanguage(tag string) chromedp.Action[chromedp.Void] {
	return call(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": tag}})
}

// signIn fills in the sign-in page.
func (p *person) signIn(name, word string) int64 {
	p.t.Helper()
	p.wants("sign-in page", "input[name=password]")
	p.fill("username", name)
	p.fill("password", word)
	return p.submit("password")
}

// code is what the authenticator app shows, as two programs compute it.
func (p *person) code() string {
	p.t.Helper()
	now := p.g.Clock.Now()
	code := sallyporttest.Code(p.t, p.secret, now)
	if other := parts.OATHTool(p.t, p.secret, now); other != code {
		p.t.Fatalf("oathtool says %s, we say %s", other, code)
	}
	return code
}

// openLater puts the clock forward and opens an address. The gateway then takes its
// store for lost until it has looked at the changes again, which it does every half
// second of real time.
func (p *person) openLater(d time.Duration, address string) {
	p.t.Helper()
	p.g.Clock.Advance(d)
	sallyporttest.Eventually(p.t, 5*time.Second, "the gateway has caught up with the clock", func() bool {
		return p.open(address) != http.StatusServiceUnavailable
	})
}

// verify enters the app's next code.
func (p *person) verify() int64 {
	p.t.Helper()
	p.wants("code field", "input[name=code]")
	p.g.Clock.Advance(codeStep)
	p.fill("code", p.code())
	return p.submit("code")
}

// app is a plain page of an upstream that says where it is.
func app() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>App</title><h1 id="app">%s</h1>`, r.Header.Get("X-Sallyport-User"))
	})
}

// downloads lets the person's browser save files, and returns their folder.
func (p *person) downloads() string {
	p.t.Helper()
	dir := p.t.TempDir()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir})
		return err
	}))
	return dir
}

// downloaded waits for a file in a folder and returns its name and content.
func downloaded(t *testing.T, dir string) (name, content string) {
	t.Helper()
	sallyporttest.Eventually(t, 10*time.Second, "a file in "+dir, func() bool {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), ".crdownload") && !strings.HasPrefix(f.Name(), ".") {
				name = f.Name()
			}
		}
		return name != ""
	})
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return name, string(data)
}

// picture keeps a picture of a page that is not ours.
func (p *person) picture(name string) {
	p.t.Helper()
	p.b.Screenshot(p.ctx, "e2e/"+name)
}

// quote writes a string as JavaScript reads it.
func quote(s string) string { return strconv.Quote(s) }
