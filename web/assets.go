package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// AssetsPath is where every host serves the assets, followed by a content hash
// and a name.
const AssetsPath = "/.sallyport/assets/"

type asset struct {
	body        []byte
	contentType string
}

// assets are the files that pages refer to. The hash covers all of them.
type assets struct {
	files map[string]asset
	hash  string
	// logoWidth in CSS pixels; 0 when there is no logo or it does not say.
	logoWidth int
}

// newAssets builds the style sheet for the accent colour and gathers the rest.
func newAssets(cfg Config) (*assets, error) {
	accent, err := parseColor(cfg.Color)
	if err != nil {
		return nil, fmt.Errorf("ui.color: %w", err)
	}
	css, err := fs.ReadFile(own, "assets/app.css")
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	js, err := fs.ReadFile(own, "assets/app.js")
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	a := &assets{files: map[string]asset{
		"app.css":  {append([]byte(accentCSS(accent)), css...), "text/css; charset=utf-8"},
		"app.js":   {js, "text/javascript; charset=utf-8"},
		"icon.svg": {[]byte(fmt.Sprintf(markSVG, accent, accent.readable())), "image/svg+xml"},
	}}
	if cfg.LogoFile != "" {
		if a.files["logo"], err = readLogo(cfg.LogoFile); err != nil {
			return nil, fmt.Errorf("ui.logo_file: %w", err)
		}
		a.logoWidth = logoWidth(a.files["logo"])
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		fmt.Fprintf(h, "%s %d\n", name, len(a.files[name].body))
		h.Write(a.files[name].body)
	}
	a.hash = hex.EncodeToString(h.Sum(nil)[:8])
	return a, nil
}

func (a *assets) has(name string) bool { _, ok := a.files[name]; return ok }

// path is the address of an asset, good on every host.
func (a *assets) path(name string) (template.URL, error) {
	if !a.has(name) {
		return "", fmt.Errorf("there is no asset %q", name)
	}
	return template.URL(AssetsPath + a.hash + "/" + name), nil
}

// Assets serves the assets on any host, under AssetsPath.
func (u *UI) Assets() http.Handler { return u.assets }

// ServeHTTP implements http.Handler.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, AssetsPath)
	hash, name, ok2 := strings.Cut(rest, "/")
	f, ok3 := a.files[name]
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if !ok || !ok2 || !ok3 {
		h.Set("Cache-Control", "no-store")
		http.Error(w, "404 not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// A logo is the admin's file, and SVG can hold scripts: opened by itself it is
	// a page of this origin that may do nothing.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; sandbox")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if hash != a.hash {
		// A page drawn before a reload, or by a node of another version: the closest
		// we have, but not for keeping.
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.body) // the client may be gone
	}
}

// markSVG is the small mark of the window and of organisations without a logo: a
// gate in the accent colour.
const markSVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">` +
	`<rect width="32" height="32" rx="8" fill="%s"/>` +
	`<path d="M9 24V15a7 7 0 0 1 14 0v9" fill="none" stroke="%s" stroke-width="2.6" stroke-linecap="round"/>` +
	`<path d="M16 24v-8" fill="none" stroke="%[2]s" stroke-width="2.6" stroke-linecap="round"/></svg>`

// imageType tells the type of a logo by its content; "" for anything else.
func imageType(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case len(b) > 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return "image/webp"
	case isSVG(b):
		return "image/svg+xml"
	}
	return ""
}

// isSVG reports whether the first element of the document is <svg>.
func isSVG(b []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := d.RawToken()
		if err != nil {
			return false
		}
		if e, ok := tok.(xml.StartElement); ok {
			return e.Name.Local == "svg"
		}
	}
}
