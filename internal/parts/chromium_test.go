package parts_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sallyport/internal/parts"
)

const strictPolicy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'"

// tlsServer serves over TLS with a chain of leaf and authority, as a gateway
// with its own authority does.
func tlsServer(t *testing.T, ca *parts.CA, handler http.Handler, names ...string) (origin string) {
	t.Helper()
	certFile, keyFile := ca.Issue(t, names...)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(ca.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	cert.Certificate = append(cert.Certificate, decodePEM(t, root))
	srv := httptest.NewUnstartedServer(handler)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + names[0] + ":" + u.Port()
}

func pageHandler(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", strictPolicy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		cookie, _ := r.Cookie("seen")
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", Secure: true, HttpOnly: true})
		fmt.Fprintf(w, body, r.Header.Get("Accept-Language"), cookie != nil)
	}
}

const goodPage = `<!doctype html><html lang="en"><head><title>Good 良い</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>Hello こんにちは</h1><p id="lang">%s</p><p id="seen">%t</p></main></body></html>`

const badPage = `<!doctype html><html><head><title></title></head>
<body><img src="/x.png"><input name="nameless"><p style="color:#eee">%s %t</p></body></html>`

func TestChromiumTrustsTheAuthorityAndResolvesLocalhost(t *testing.T) {
	ca := parts.NewCA(t)
	origin := tlsServer(t, ca, pageHandler(goodPage), "timesheet.localhost")
	b := parts.Chromium(t, parts.WithCA(ca.CAFile))
	tab := b.Tab()
	if err := chromedp.Do(tab, chromedp.Navigate(origin)); err != nil {
		t.Fatalf("open %s: %v", origin, err)
	}
	title, err := chromedp.Run(tab, chromedp.Title())
	if err != nil || title != "Good 良い" {
		t.Errorf("title %q, %v", title, err)
	}
	width, err := chromedp.Run(tab, chromedp.Evaluate[int]("innerWidth"))
	if err != nil || width != 1280 {
		t.Errorf("the page is %d wide, %v", width, err)
	}

	if got := seenText(t, b.Tab(), origin); got != "true" {
		t.Errorf("a second tab does not share the cookie: %s", got)
	}
	if got := seenText(t, b.Private(), origin); got != "false" {
		t.Errorf("a private tab shares the cookie: %s", got)
	}

	other := parts.NewCA(t)
	stranger := tlsServer(t, other, pageHandler(goodPage), "login.localhost")
	if err := chromedp.Do(tab, chromedp.Navigate(stranger)); err == nil {
		t.Error("a certificate of an unknown authority is accepted")
	}
}

func seenText(t *testing.T, tab context.Context, origin string) string {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.Navigate(origin)); err != nil {
		t.Fatal(err)
	}
	text, err := chromedp.Run(tab, chromedp.Text("#seen"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestChromiumLanguageViewportAndScreenshot(t *testing.T) {
	ca := parts.NewCA(t)
	origin := tlsServer(t, ca, pageHandler(goodPage), "login.localhost")
	b := parts.Chromium(t, parts.WithCA(ca.CAFile), parts.WithLanguage("ja"), parts.WithViewport(390, 844), parts.WithDark())
	tab := b.Tab()
	if err := chromedp.Do(tab, chromedp.Navigate(origin)); err != nil {
		t.Fatal(err)
	}
	lang, err := chromedp.Run(tab, chromedp.Text("#lang"))
	if err != nil || !strings.HasPrefix(lang, "ja") {
		t.Errorf("Accept-Language %q, %v", lang, err)
	}
	size, err := chromedp.Run(tab, chromedp.Evaluate[string]("innerWidth + ' ' + matchMedia('(prefers-color-scheme: dark)').matches"))
	if err != nil || size != "390 true" {
		t.Errorf("width and dark: %q, %v", size, err)
	}
	file := b.Screenshot(tab, "parts/phone-ja")
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.DecodeConfig(f)
	if err != nil || img.Width != 390 {
		t.Errorf("the screenshot is %d wide, %v", img.Width, err)
	}
}

func TestAxe(t *testing.T) {
	ca := parts.NewCA(t)
	b := parts.Chromium(t, parts.WithCA(ca.CAFile))
	tab := b.Tab()
	check := func(page string) string {
		origin := tlsServer(t, ca, pageHandler(page), "login.localhost")
		if err := chromedp.Do(tab, chromedp.Navigate(origin)); err != nil {
			t.Fatal(err)
		}
		found, err := b.Axe(tab)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, v := range found {
			text.WriteString(v.String() + "\n")
		}
		return text.String()
	}
	if got := check(goodPage); got != "" {
		t.Errorf("faults on a good page:\n%s", got)
	}
	got := check(badPage)
	for _, rule := range []string{"html-has-lang", "image-alt", "label", "document-title"} {
		if !strings.Contains(got, rule) {
			t.Errorf("%s is not reported in:\n%s", rule, got)
		}
	}
}
