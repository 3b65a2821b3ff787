package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"sallyport"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
)

// errorPage is the dot of web/error.
type errorPage struct {
	Code               sallyport.Code
	Status             int
	Title, Text, Help  string
	CorrelationID      string
	RetryAfter         int
	RetryMinutes       int    // RetryAfter, where minutes say it better; else 0
	Retry              bool   // trying again may help
	Again              string // address that starts anew; "" where none was given
	Home               string
	OfApp              bool // Home is the start page of an app
	Lock, Clock, Alarm bool // which picture
}

// Restarter is implemented by a cause that knows where to start anew: the error
// page offers that address, on the same host.
type Restarter interface {
	error
	Again() string
}

// problem is a problem of RFC 9457, with our code and correlation ID. Its type is
// left out and so is about:blank: the title is the status in words.
type problem struct {
	Type          string         `json:"type"`
	Title         string         `json:"title"`
	Status        int            `json:"status"`
	Detail        string         `json:"detail"`
	Code          sallyport.Code `json:"code"`
	CorrelationID string         `json:"correlation_id,omitempty"`
}

// Error implements httperr.Pages: a page for browsers, a problem for others. The
// cause is never in it.
func (u *UI) Error(w http.ResponseWriter, r *http.Request, e *httperr.Error) {
	if e == nil {
		e = httperr.New(http.StatusInternalServerError, sallyport.CodeInternal, nil)
	}
	// What the handler had prepared for its own answer must not describe ours.
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Content-Range", "Etag", "Last-Modified", "Location"} {
		w.Header().Del(name)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	l, _ := u.negotiate(r)
	p := u.errorPage(r, l, e)
	if !wantsPage(r) {
		w.Header().Add("Vary", "Accept, Accept-Language, Cookie")
		writeProblem(w, r, l, p)
		return
	}
	w.Header().Add("Vary", "Accept")
	err := u.Render(w, r, Page{Status: p.Status, Template: "web/error", TitleKey: "web.error.window",
		TitleArgs: map[string]any{"Title": p.Title}, Data: p})
	if err != nil {
		u.log.Error("cannot draw an error page", "code", e.Code, "error", err)
		writeProblem(w, r, l, p)
	}
}

// errorPage gathers the texts of an error. A code without texts, or a status that
// is no error, is shown as an internal error.
func (u *UI) errorPage(r *http.Request, l *lang, e *httperr.Error) errorPage {
	p := errorPage{Code: e.Code, Status: e.Status, RetryAfter: e.RetryAfter, CorrelationID: reqctx.From(r.Context()).CorrelationID}
	if p.Status < 400 || p.Status > 599 {
		p.Status = http.StatusInternalServerError
	}
	key := "error." + string(e.Code)
	if !l.has(key + ".title") {
		p.Code, key = sallyport.CodeInternal, "error."+string(sallyport.CodeInternal)
	}
	for suffix, into := range map[string]*string{".title": &p.Title, ".text": &p.Text, ".help": &p.Help} {
		text, err := l.text(key+suffix, nil)
		if err != nil {
			u.log.Error("an error has no text", "code", e.Code, "error", err)
		}
		*into = text
	}
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		http.StatusInternalServerError:
		p.Retry = r.Method == http.MethodGet
	}
	if p.RetryAfter >= 120 {
		p.RetryMinutes = (p.RetryAfter + 59) / 60
	}
	var restart Restarter
	if errors.As(e.Cause, &restart) {
		p.Again = restart.Again()
	}
	p.Home, p.OfApp = u.home(r, e.Code)
	p.Lock = p.Status == http.StatusForbidden || p.Status == http.StatusUnauthorized
	p.Clock = p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable || p.Status == http.StatusGatewayTimeout
	p.Alarm = !p.Lock && !p.Clock
	return p
}

// home is where an error page leads: to the start page of the app on an app's
// host, unless that is the page that failed, else to the portal's.
func (u *UI) home(r *http.Request, code sallyport.Code) (address string, ofApp bool) {
	host := reqctx.From(r.Context()).Host
	_, portal, _ := strings.Cut(u.portal, "://")
	if host == "" || host == portal || code == sallyport.CodeMisdirected || r.URL.Path == "/" {
		return u.portal + "/", false
	}
	return "/", true
}

func writeProblem(w http.ResponseWriter, r *http.Request, l *lang, p errorPage) {
	body, err := json.Marshal(problem{Type: "about:blank", Title: http.StatusText(p.Status), Status: p.Status, Detail: p.Text,
		Code: p.Code, CorrelationID: p.CorrelationID})
	if err != nil { // strings and a number: cannot be
		body = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500}`)
	}
	h := w.Header()
	harden(h)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Language", l.tag.String())
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n')) // the client may be gone
	}
}

// wantsPage reports whether a person looks at the answer: the client asks for
// HTML by name. "*/*" is what programs send.
func wantsPage(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, _ := strings.Cut(part, ";")
			kind = strings.ToLower(strings.TrimSpace(kind))
			if (kind == "text/html" || kind == "application/xhtml+xml") && !refused(params) {
				return true
			}
		}
	}
	return false
}

// refused reports whether the parameters of a media range say q=0.
func refused(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return err != nil || q <= 0
		}
	}
	return false
}
