package web_test

import (
	"encoding/xml"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sallyport"
	"sallyport/internal/httperr"
	"sallyport/web"
)

var assetAddress = regexp.MustCompile(`(?:href|src)="(/\.sallyport/assets/[^"]+)"`)

func fetch(u *web.UI, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	u.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// css returns the style sheet that the pages of u link to.
func css(t *testing.T, u *web.UI) string {
	t.Helper()
	m := regexp.MustCompile(`rel="stylesheet" href="([^"]+)"`).FindStringSubmatch(fail(u, request("/"), nil).Body.String())
	return fetch(u, m[1]).Body.String()
}

// TestFirstPaint: a page with all that it loads is at most 50 KiB, uncompressed.
func TestFirstPaint(t *testing.T) {
	u := newUI(t, web.Config{Name: "Example Corp"}, "")
	for _, lang := range []string{"en", "ja"} {
		body := fail(u, request("/?lng="+lang), httperr.New(502, sallyport.CodeUpstreamUnreachable, nil)).Body.String()
		total := len(body)
		seen := map[string]bool{}
		for _, m := range assetAddress.FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				continue
			}
			seen[m[1]] = true
			w := fetch(u, m[1])
			if w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
				t.Errorf("%s: %d %v", m[1], w.Code, w.Header())
			}
			total += w.Body.Len()
		}
		if len(seen) != 3 {
			t.Errorf("the page loads %v", seen)
		}
		if total > 50<<10 {
			t.Errorf("%s: %d bytes", lang, total)
		}
		t.Logf("%s: %d bytes in %d files and the page", lang, total, len(seen))
	}
}

func TestAssetsThatAreNotThere(t *testing.T) {
	u := newUI(t, web.Config{}, "")
	for _, path := range []string{"/.sallyport/assets/", "/.sallyport/assets/x", "/.sallyport/assets/x/", "/.sallyport/assets/x/logo", "/.sallyport/assets/x/../app.css",
		"/.sallyport/assets/x/templates/layout.html", "/app.css", "/.sallyport/assets/app.css"} {
		if w := fetch(u, path); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if w := fetch(u, "/.sallyport/assets/0000000000000000/app.css"); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("an old address: %d %v", w.Code, w.Header())
	}
	w := httptest.NewRecorder()
	u.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/.sallyport/assets/x/app.css", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestAssetAddressFollowsItsContent(t *testing.T) {
	a, b := newUI(t, web.Config{Color: "#112233"}, ""), newUI(t, web.Config{Color: "#112234"}, "")
	first := func(u *web.UI) string {
		return assetAddress.FindStringSubmatch(fail(u, request("/"), nil).Body.String())[1]
	}
	if first(a) == first(b) || first(a) != first(newUI(t, web.Config{Color: "#112233"}, "")) {
		t.Errorf("addresses %s, %s", first(a), first(b))
	}
}

// TestLogo (H1): an SVG can hold scripts; opened by itself it must be able to do
// nothing, and a file that only says it is an image is refused.
func TestLogo(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct{ content, kind string }{
		"a.svg":  {`<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "image/svg+xml"},
		"b.bin":  {"\x89PNG\r\n\x1a\nxxxx", "image/png"},
		"c":      {"\xff\xd8\xff\xe0xxxx", "image/jpeg"},
		"d.webp": {"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"},
	} {
		u := newUI(t, web.Config{LogoFile: file(name, c.content)}, "")
		body := fail(u, request("/"), nil).Body.String()
		m := regexp.MustCompile(`<img class="logo" src="([^"]+)"`).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("%s: no logo on the page", name)
		}
		w := fetch(u, m[1])
		if w.Header().Get("Content-Type") != c.kind || w.Body.String() != c.content ||
			w.Header().Get("Content-Security-Policy") != "default-src 'none'; style-src 'self'; sandbox" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	for name, content := range map[string]string{"e.svg": "<html><svg/></html>", "f.svg": "<svg", "g.png": "GIF89a", "h.svg": "", "i.png": "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 256<<10)} {
		if faults := (web.Config{LogoFile: file(name, content)}).Validate(); len(faults) != 1 || faults[0].Path != "logo_file" {
			t.Errorf("%s: %v", name, faults)
		}
	}
	if faults := (web.Config{LogoFile: dir}).Validate(); len(faults) != 1 {
		t.Errorf("a folder: %v", faults)
	}
}

func TestMarkIsXML(t *testing.T) {
	u := newUI(t, web.Config{Color: "#ffcc00"}, "")
	body := fetch(u, "/.sallyport/assets/x/icon.svg").Body.String()
	if err := xml.Unmarshal([]byte(body), new(struct{})); err != nil || strings.Contains(body, "%!") {
		t.Errorf("%v in %s", err, body)
	}
}

func TestConfigFaults(t *testing.T) {
	if f := (web.Config{}).Validate(); len(f) != 0 {
		t.Errorf("defaults: %v", f)
	}
	f := web.Config{Name: strings.Repeat("あ", 61), Color: "red", TimeZone: "Mars/Olympus", Language: "??", LogoFile: "/no/such", SupportText: strings.Repeat("x", 1001)}.Validate()
	var paths []string
	for _, x := range f {
		paths = append(paths, x.Path)
		if x.Hint == "" {
			t.Errorf("%s has no hint", x.Path)
		}
	}
	if strings.Join(paths, " ") != "name color time_zone language support_text logo_file" {
		t.Errorf("faults %v", paths)
	}
	for _, zone := range []string{"Local", "../../etc/passwd", "asia/nowhere"} {
		if len((web.Config{TimeZone: zone}).Validate()) != 1 {
			t.Errorf("zone %q accepted", zone)
		}
	}
	for _, c := range []string{"#fff", "1f5fbf", "#1f5fbg", "#1f5fbf;}body{display:none", "#1F5FBF\n"} {
		if len((web.Config{Color: c}).Validate()) != 1 {
			t.Errorf("colour %q accepted", c)
		}
	}
	if _, err := web.New(web.Config{Color: "red"}, web.Options{}); err == nil {
		t.Error("New took a bad colour")
	}
}

// TestContrast computes every pair of text and ground that the style sheet makes,
// in both schemes, for accent colours from black to white.
func TestContrast(t *testing.T) {
	colors := []string{"#000000", "#ffffff", "#808080", "#767676", "#1f5fbf", "#ffcc00", "#ff0000", "#00ff00", "#0000ff", "#c0ffee", "#7f1d1d", "#fde047", "#1a1a2e", "#ff69b4", "#008080", "#949494"}
	type pair struct {
		fore, back string
		ratio      float64
	}
	var pairs []pair
	for _, ground := range []string{"page", "card", "tint"} {
		for _, text := range []string{"text", "muted", "link", "danger"} {
			pairs = append(pairs, pair{text, ground, 4.5})
		}
	}
	for _, on := range []string{"accent", "accent-hover", "accent-active"} {
		pairs = append(pairs, pair{"on-accent", on, 4.5})
	}
	for _, kind := range []string{"danger", "good", "warn"} {
		pairs = append(pairs, pair{kind, kind + "-soft", 4.5}, pair{kind, "card", 4.5})
	}
	pairs = append(pairs, pair{"on-danger", "danger", 4.5}, pair{"on-danger", "danger-hover", 4.5}, pair{"text", "soft", 4.5}, pair{"link", "soft", 4.5},
		pair{"edge", "card", 3}, pair{"edge", "tint", 3}, pair{"edge", "page", 3}, pair{"accent-edge", "card", 3}, pair{"accent-edge", "page", 3})
	for _, color := range colors {
		sheet := css(t, newUI(t, web.Config{Color: color}, ""))
		for name, vars := range schemes(t, sheet) {
			for _, p := range pairs {
				if got := ratio(t, vars[p.fore], vars[p.back]); got < p.ratio {
					t.Errorf("accent %s, %s: %s (%s) on %s (%s) has %.2f, want %.1f", color, name, p.fore, vars[p.fore], p.back, vars[p.back], got, p.ratio)
				}
			}
		}
	}
}

var (
	customProperty = regexp.MustCompile(`--([a-z-]+):\s*(#[0-9a-f]{6})\b`)
	darkBlock      = regexp.MustCompile(`(?s)@media \(prefers-color-scheme:\s?dark\)\s?{\s*:root\s?{.*?}\s*}`)
)

// schemes returns the custom properties of the light and of the dark scheme.
func schemes(t *testing.T, sheet string) map[string]map[string]string {
	t.Helper()
	printing := strings.Index(sheet, "@media print")
	dark := strings.Join(darkBlock.FindAllString(sheet, -1), "")
	light := map[string]string{}
	for _, m := range customProperty.FindAllStringSubmatch(darkBlock.ReplaceAllString(sheet[:printing], ""), -1) {
		light[m[1]] = m[2]
	}
	night := map[string]string{}
	for k, v := range light {
		night[k] = v
	}
	for _, m := range customProperty.FindAllStringSubmatch(dark, -1) {
		night[m[1]] = m[2]
	}
	if len(light) < 20 || light["card"] == night["card"] || light["link"] == "" {
		t.Fatalf("cannot read the style sheet: %v, %v", light, night)
	}
	return map[string]map[string]string{"light": light, "dark": night}
}

// ratio is the contrast ratio of WCAG 2.2, computed apart from package web.
func ratio(t *testing.T, a, b string) float64 {
	t.Helper()
	lum := func(s string) float64 {
		var c [3]int
		if n, err := fmt.Sscanf(s, "#%02x%02x%02x", &c[0], &c[1], &c[2]); n != 3 {
			t.Fatalf("colour %q: %v", s, err)
		}
		var l float64
		for i, w := range []float64{0.2126, 0.7152, 0.0722} {
			v := float64(c[i]) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			l += w * v
		}
		return l
	}
	x, y := lum(a), lum(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestNothingInline (H1): the policy forbids inline styles and scripts, so a
// template that has one is broken.
func TestNothingInline(t *testing.T) {
	files, err := filepath.Glob("../*/templates/*.html")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	deeper, err := filepath.Glob("../*/*/templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	bad := regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|<style|<script(?: type="module")?>|javascript:|https?://(?:[^w]|w[^w])`)
	for _, f := range append(files, deeper...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if m := bad.Find(b); m != nil {
			t.Errorf("%s has %q", f, m)
		}
	}
}
