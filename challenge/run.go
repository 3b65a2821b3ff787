package challenge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
	"sallyport/internal/reqctx"
	"sallyport/session"
)

// Steps of a flow: what the person sees next.
const (
	stepSignIn   = "sign-in"
	stepVerify   = "verify"
	stepRegister = "register"
	stepCodes    = "recovery-codes"
	stepNotice   = "notice"
	stepDenied   = "denied"
	stepDone     = "done"
)

// pathOf is the page of a step.
func pathOf(step string) string {
	switch step {
	case stepVerify:
		return pathVerify
	case stepRegister:
		return pathRegister
	case stepCodes:
		return pathCodes
	case stepNotice:
		return pathNotice
	}
	return pathSignIn
}

// stepData is what a flow keeps for its steps; the store seals it.
type stepData struct {
	// Since is when the current step was first shown.
	Since time.Time `json:"since,omitzero"`
	// Session is the portal session that the flow's first factor was taken from.
	Session sallyport.SessionID `json:"session,omitempty"`
	// Language that was chosen on a page of the flow; "" if none was.
	Language string `json:"language,omitempty"`
	// Locked: the person waits on the verification page for a lock to end.
	Locked bool `json:"locked,omitempty"`

	// Provider, State and Pending belong to a redirect that is under way.
	Provider string              `json:"provider,omitempty"`
	State    sallyport.TokenHash `json:"state,omitzero"`
	Pending  []byte              `json:"pending,omitempty"`

	// Kind and Secret are the registration under way, from its Propose.
	Kind   sallyport.Kind `json:"kind,omitempty"`
	Secret []byte         `json:"secret,omitempty"`

	// Codes are recovery codes that were shown and not yet confirmed, and CodesMade
	// the moment of that set.
	Codes     []byte    `json:"codes,omitempty"`
	CodesMade time.Time `json:"codes_made,omitzero"`

	// Notice is something to be read before going on.
	Notice string `json:"notice,omitempty"` // noticeRegistered or noticeRecovery
	Name   string `json:"name,omitempty"`   // of the method that was registered
	Left   int    `json:"left,omitempty"`   // recovery codes
}

// run is one request's work on a flow: steps change it and then call advance,
// which alone decides what comes next.
type run struct {
	c       *Challenge
	w       http.ResponseWriter
	r       *http.Request
	f       *sallyport.Flow
	data    stepData
	target  target
	browser session.Browser
	user    sallyport.User // known once next has run with a first factor
	grant   *sallyport.Grant
	unsaved bool // the store does not have the flow yet
	now     time.Time
	events  []audit.Event // to be written with the flow
	device  *sallyport.Device
	tried   bool // the remembered device was asked for
}

// lostError says that a flow cannot go on in this browser.
type lostError struct {
	status int
	cause  string
	again  string // address that starts anew
}

func (e *lostError) Error() string { return "flow: " + e.cause }

// answer runs h, and shows the page with a way to start again when the flow that
// h wanted is lost.
func (c *Challenge) answer(w http.ResponseWriter, r *http.Request, h httperr.HandlerFunc) error {
	err := h(w, r)
	var lost *lostError
	if !errors.As(err, &lost) {
		return err
	}
	info := reqctx.From(r.Context())
	info.Code, info.Cause = sallyport.CodeFlowExpired, lost
	return c.render(w, r, page{Status: lost.status, Template: "challenge/start-again", TitleKey: "challenge.start_again.title",
		Data: startAgainPage{Code: sallyport.CodeFlowExpired, CorrelationID: info.CorrelationID, Again: lost.again}})
}

// open loads a flow for a request of the browser that began it. The caller must
// call close.
func (c *Challenge) open(w http.ResponseWriter, r *http.Request, id string) (*run, error) {
	if len(id) != len("00000000-0000-7000-8000-000000000000") {
		return nil, &lostError{status: http.StatusGone, cause: "no flow named", again: pathSignIn}
	}
	fid := sallyport.FlowID(id)
	now := c.now()
	browser := c.sessions.Browser(w, r)
	c.busy.lock(id)
	x, err := c.load(w, r, fid, browser, now)
	if err != nil {
		c.busy.unlock(id)
		return nil, err
	}
	reqctx.From(r.Context()).FlowID = fid
	return x, nil
}

// close lets the next request of the same flow in.
func (x *run) close() { x.c.busy.unlock(string(x.f.ID)) }

func (c *Challenge) load(w http.ResponseWriter, r *http.Request, id sallyport.FlowID, browser session.Browser, now time.Time) (*run, error) {
	f, err := c.store.Flow(r.Context(), id, now)
	if errors.Is(err, sallyport.ErrNotFound) {
		return nil, c.gone(id, browser)
	}
	if err != nil {
		return nil, fmt.Errorf("loading a flow: %w", err)
	}
	t, err := c.readTarget(f.ReturnURL)
	if err != nil { // its route has gone since
		return nil, httperr.New(http.StatusBadRequest, sallyport.CodeBadReturn, fmt.Errorf("flow %s returns to %q: %w", id, f.ReturnURL, err))
	}
	if f.Browser != browser.Hash {
		return nil, &lostError{status: http.StatusForbidden, cause: "begun in another browser", again: t.url}
	}
	x := &run{c: c, w: w, r: r, f: f, target: t, browser: browser, now: now}
	if len(f.Data) > 0 {
		if err := json.Unmarshal(f.Data, &x.data); err != nil {
			return nil, fmt.Errorf("data of flow %s: %w", id, err)
		}
	}
	return x, nil
}

// gone answers for a flow that is no longer there. One that this browser has just
// finished (a double click, the back button) leads on to where it went; a session
// that is good carries it there without a page.
func (c *Challenge) gone(id sallyport.FlowID, browser session.Browser) error {
	if again, ok := c.recent.find(id, browser.Hash, c.now()); ok {
		return &finishedError{location: again}
	}
	return &lostError{status: http.StatusGone, cause: "expired, finished or unknown", again: pathSignIn}
}

// finishedError sends the browser on from a flow that is done.
type finishedError struct{ location string }

func (e *finishedError) Error() string { return "flow: finished before" }

// againURL starts anew for the same place.
func againURL(f *sallyport.Flow) string {
	q := url.Values{"return": {f.ReturnURL}}
	if f.State != (sallyport.TokenHash{}) {
		q.Set("state", f.State.String())
	}
	return pathSignIn + "?" + q.Encode()
}

// restartError is a cause whose error page offers to start anew; it is a
// web.Restarter.
type restartError struct {
	cause error
	again string
}

func (e *restartError) Error() string { return e.cause.Error() }
func (e *restartError) Unwrap() error { return e.cause }
func (e *restartError) Again() string { return e.again }

// restart adds the way to start this flow anew to the cause of an error.
func (x *run) restart(cause error) error { return &restartError{cause: cause, again: againURL(x.f)} }

// at opens the flow of a GET request at a step; when the flow is at another one,
// the browser is sent there and x is nil.
func (c *Challenge) at(w http.ResponseWriter, r *http.Request, id, step string) (x *run, err error) {
	x, err = c.open(w, r, id)
	var done *finishedError
	if errors.As(err, &done) {
		http.Redirect(w, r, done.location, http.StatusSeeOther)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if x.f.Step != step {
		defer x.close()
		x.redirectToStep()
		return nil, nil
	}
	if err := x.noteLanguage(); err != nil {
		defer x.close()
		if errors.Is(err, sallyport.ErrConflict) {
			err = x.overtaken()
		}
		return nil, err
	}
	return x, nil
}

// noteLanguage writes a language that this request chooses into the flow. It is a
// write that anybody can ask for, so it is throttled like a new flow; beyond that
// the choice holds for the page alone.
func (x *run) noteLanguage() error {
	lng := x.chosenLanguage()
	if lng == "" || lng == x.data.Language {
		return nil
	}
	if _, ok := x.c.newFlows.pass(addressKey(client(x.r)), x.now); !ok {
		return nil
	}
	x.data.Language = lng
	return x.save()
}

// chosenLanguage is the language that this request chooses, "" if none.
func (x *run) chosenLanguage() string {
	typed := x.r.URL.Query().Get("lng")
	if lng := x.c.ui.Language(x.r); strings.EqualFold(lng, typed) {
		return lng
	}
	return ""
}

// redirectToStep sends the browser to the page of the flow's step, in the language
// that it has just chosen.
func (x *run) redirectToStep() {
	to := pathOf(x.f.Step) + "?flow=" + url.QueryEscape(string(x.f.ID))
	if lng := x.chosenLanguage(); lng != "" {
		to += "&lng=" + url.QueryEscape(lng)
	}
	http.Redirect(x.w, x.r, to, http.StatusSeeOther)
}

// person loads who the flow is about, and lets the page speak their language: the
// one chosen in this flow, else their last choice.
func (x *run) person() (sallyport.User, error) {
	user, err := x.c.store.User(x.r.Context(), x.f.UserID)
	if err != nil {
		return user, fmt.Errorf("loading a user: %w", err)
	}
	info := reqctx.From(x.r.Context())
	if info.Language = x.data.Language; info.Language == "" {
		info.Language = user.Language
	}
	return user, nil
}

// keepLanguage makes the language that was chosen in the flow the person's last
// choice. A choice that is lost is no reason to refuse a sign-in.
func (x *run) keepLanguage() {
	if x.data.Language == "" || x.data.Language == x.user.Language {
		return
	}
	_, err := x.c.store.ChangeUser(x.r.Context(), x.user.ID, func(u *sallyport.User) ([]audit.Event, error) {
		u.Language = x.data.Language
		return nil, nil
	})
	if err != nil {
		x.c.log.Warn("cannot keep a choice of language", "user_id", x.user.ID, "error", err)
	}
}

// save writes the flow and the events gathered so far.
func (x *run) save() error {
	data, err := json.Marshal(x.data)
	if err != nil {
		return fmt.Errorf("data of a flow: %w", err)
	}
	x.f.Data = data
	events := x.events
	x.events = nil
	if x.unsaved {
		if err := x.c.store.CreateFlow(x.r.Context(), x.f, events...); err != nil {
			return fmt.Errorf("beginning a flow: %w", err)
		}
		x.unsaved = false
		return nil
	}
	if err := x.c.store.SaveFlow(x.r.Context(), x.f, events...); err != nil {
		return fmt.Errorf("saving a flow: %w", err)
	}
	return nil
}

// overtaken answers when another request of the same flow was first: this one
// changes nothing and follows to where the flow is now.
func (x *run) overtaken() error {
	f, err := x.c.store.Flow(x.r.Context(), x.f.ID, x.now)
	if errors.Is(err, sallyport.ErrNotFound) {
		err = x.c.gone(x.f.ID, x.browser)
		var done *finishedError
		if errors.As(err, &done) {
			http.Redirect(x.w, x.r, done.location, http.StatusSeeOther)
			return nil
		}
	}
	if err != nil {
		return err
	}
	x.f = f
	x.redirectToStep()
	return nil
}

// client is who sent a request.
func client(r *http.Request) netip.Addr { return reqctx.From(r.Context()).Client }
