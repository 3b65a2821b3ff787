package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"sallyport"
	"sallyport/internal/httperr"
	"sallyport/policy"
)

var errSignInNeeded = errors.New("a sign-in is needed, and only a page at the top of a window can ask for it")

// challenge asks for what the decision still needs: people by the portal, frames
// by a page with a link, programs by a 401.
func (p *Proxy) challenge(x *exchange, r *http.Request, rt *route, d policy.Decision) error {
	switch kind := askerOf(r); kind {
	case askerPage:
		return p.challenger.Begin(&x.w, p.comeBack(x, r, rt), rt.Name, d)
	case askerFrame:
		return httperr.New(http.StatusUnauthorized, sallyport.CodeSignInNeeded, errSignInNeeded)
	}
	x.info.Code = sallyport.CodeSignInNeeded
	return writeProblem(x, rt, d)
}

// asker says what a request wants shown.
type asker uint8

const (
	askerProgram asker = iota // scripts, images, WebSockets, clients that are no browsers
	askerFrame                // a page inside another, where the portal cannot be shown
	askerPage                 // a page at the top of a window
)

// askerOf tells from what browsers send. Nothing is granted by it: it only
// chooses between a redirect and a 401.
func askerOf(r *http.Request) asker {
	h := r.Header
	if _, ok := h["Upgrade"]; ok || equalFoldASCII(h.Get("X-Requested-With"), "XMLHttpRequest") {
		return askerProgram
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		switch {
		case mode != "navigate":
			return askerProgram
		case h.Get("Sec-Fetch-Dest") == "document", h.Get("Sec-Fetch-Dest") == "":
			return askerPage
		case strings.HasSuffix(h.Get("Sec-Fetch-Dest"), "frame"):
			return askerFrame
		}
		return askerProgram
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		return askerProgram
	}
	for _, v := range h["Accept"] {
		if strings.Contains(v, "text/html") {
			return askerPage
		}
	}
	return askerProgram
}

// comeBack returns the request for the page to return to after the challenge. A
// form that was posted into an expired session is lost; its person comes back to
// the page the form stood on, which a GET can show.
func (p *Proxy) comeBack(x *exchange, r *http.Request, rt *route) *http.Request {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r
	}
	back := r.WithContext(r.Context())
	back.Method, back.Body, back.ContentLength = http.MethodGet, http.NoBody, 0
	back.URL = &url.URL{Path: rt.Path}
	ref, err := url.Parse(r.Header.Get("Referer"))
	if err == nil && ref.Host != "" && equalFoldASCII(ref.Host, x.info.Host) {
		if _, name, ok := p.Target(ref); ok && name == rt.Name {
			back.URL = &url.URL{Path: ref.Path, RawPath: ref.RawPath, RawQuery: ref.RawQuery}
		}
	}
	return back
}

// problem is a problem document (RFC 9457) for clients that are not browsers.
type problem struct {
	Type          string         `json:"type"`
	Title         string         `json:"title"`
	Status        int            `json:"status"`
	Detail        string         `json:"detail"`
	Code          sallyport.Code `json:"code"`
	CorrelationID string         `json:"correlation_id"`
	// SignIn is the address to open in a browser.
	SignIn string `json:"sign_in"`
	// Need is what is still needed: "first-factor", "verification" or
	// "registration".
	Need string `json:"need"`
}

// writeProblem answers 401 with a challenge that a machine can read.
func writeProblem(x *exchange, rt *route, d policy.Decision) error {
	signIn := (&url.URL{Scheme: "https", Host: x.info.Host, Path: rt.Path}).String()
	need := "verification"
	switch {
	case d.Need.FirstFactor:
		need = "first-factor"
	case d.Need.Register:
		need = "registration"
	}
	body, err := json.Marshal(problem{
		Type: "about:blank", Title: "Sign-in needed", Status: http.StatusUnauthorized,
		Detail: "Open the sign-in address in a browser, sign in, and try again.",
		Code:   sallyport.CodeSignInNeeded, CorrelationID: x.info.CorrelationID, SignIn: signIn, Need: need,
	})
	if err != nil {
		return fmt.Errorf("writing a problem: %w", err)
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// RFC 9110, section 11.6.1: a 401 names its challenge. Browsers show no dialog
	// for a scheme they do not know.
	h.Set("WWW-Authenticate", fmt.Sprintf(`Sallyport need=%q, sign_in=%q`, need, signIn))
	x.w.WriteHeader(http.StatusUnauthorized)
	if _, err := x.w.Write(body); err != nil {
		x.info.Cause = err // the client has gone; there is nothing else to do
	}
	return nil
}
