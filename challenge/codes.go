package challenge

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/httperr"
)

// Notices that are read before a flow goes on.
const (
	noticeRegistered = "registered"    // the summary at the wizard's end
	noticeRecovery   = "recovery-used" // how many recovery codes are left
)

// toSecurityInfo is how a notice's form says that the person wants to go to
// security info, and the cause of the flows that lead there anyway.
const toSecurityInfo = "security-info"

// recoveryMethod is the method whose codes end the wizard.
func (c *Challenge) recoveryMethod() (Method, error) {
	m := methodOf(c.methods, sallyport.KindRecovery)
	if m == nil {
		return nil, httperr.New(http.StatusConflict, sallyport.CodeRegistrationExpired, errors.New("recovery codes were switched off meanwhile"))
	}
	return m, nil
}

// atCodes is at for the step of the recovery codes: they are nobody's whose
// verification no longer counts.
func (c *Challenge) atCodes(w http.ResponseWriter, r *http.Request, id string) (*run, error) {
	x, err := c.at(w, r, id, stepCodes)
	if x == nil {
		return nil, err
	}
	gone, err := x.dropGone()
	if err == nil && !gone {
		return x, nil
	}
	defer x.close()
	if err == nil {
		err = x.advance()
	}
	return nil, err
}

// codesPage is GET /.sallyport/register/recovery-codes. The codes stay in the
// flow, sealed, until the person says that they are kept; then only their hashes
// remain.
func (c *Challenge) codesPage(w http.ResponseWriter, r *http.Request) error {
	x, err := c.atCodes(w, r, r.URL.Query().Get("flow"))
	if x == nil {
		return err
	}
	defer x.close()
	return x.showCodes()
}

func (x *run) showCodes() error {
	m, err := x.c.recoveryMethod()
	if err != nil {
		return err
	}
	user, err := x.person()
	if err != nil {
		return err
	}
	show, err := m.Show(user, x.data.Codes)
	if err != nil {
		return fmt.Errorf("showing recovery codes: %w", err)
	}
	return x.render(http.StatusOK, m.RegisterTemplate(), "challenge.codes.title", CodesPage{Form: x.form(pathCodes),
		Download: pathDownload + "?flow=" + string(x.f.ID), Show: show, Wizard: true})
}

// codesForm is POST /.sallyport/register/recovery-codes: the codes are kept.
func (c *Challenge) codesForm(w http.ResponseWriter, r *http.Request) error {
	x, err := c.atCodes(w, r, r.PostForm.Get("flow"))
	if x == nil {
		return err
	}
	defer x.close()
	m, err := c.recoveryMethod()
	if err != nil {
		return err
	}
	if x.user, err = c.store.User(r.Context(), x.f.UserID); err != nil {
		return fmt.Errorf("loading a user: %w", err)
	}
	// The set's own moment: a request that was cut off here leaves the codes in the
	// flow, and confirmed again they must not bring back those used meanwhile.
	_, err = m.Register(r.Context(), Registration{User: x.user, Pending: x.data.Codes, Now: x.data.CodesMade,
		Claim: x.save,
		Record: func(sallyport.Method, bool) []audit.Event {
			ev := x.stepEvent(audit.RecoveryRenewed, audit.Success)
			ev.Method = sallyport.KindRecovery
			return []audit.Event{ev}
		}})
	switch {
	case errors.Is(err, sallyport.ErrConflict):
		return x.overtaken()
	case errors.Is(err, sallyport.ErrUsed): // renewed elsewhere since
		return httperr.New(http.StatusGone, sallyport.CodeRegistrationExpired, x.restart(fmt.Errorf("keeping recovery codes: %w", err)))
	case err != nil && !errors.Is(err, sallyport.ErrExists): // kept before: only the way on is missing
		return fmt.Errorf("keeping recovery codes: %w", err)
	}
	if x.data.Left, err = c.store.RecoveryCodesLeft(r.Context(), x.f.UserID); err != nil {
		return fmt.Errorf("counting recovery codes: %w", err)
	}
	x.data.Codes, x.data.CodesMade = nil, time.Time{}
	return x.advance()
}

// Texter is implemented by what Method.Show returns when it can be kept as a text
// file.
type Texter interface {
	// Text returns the file.
	Text(issuer string) []byte
}

// codesDownload is POST /.sallyport/register/recovery-codes/download: the codes
// as a text file, without a script.
func (c *Challenge) codesDownload(w http.ResponseWriter, r *http.Request) error {
	x, err := c.atCodes(w, r, r.PostForm.Get("flow"))
	if x == nil {
		return err
	}
	defer x.close()
	m, err := c.recoveryMethod()
	if err != nil {
		return err
	}
	user, err := c.store.User(r.Context(), x.f.UserID)
	if err != nil {
		return fmt.Errorf("loading a user: %w", err)
	}
	show, err := m.Show(user, x.data.Codes)
	if err != nil {
		return fmt.Errorf("showing recovery codes: %w", err)
	}
	return WriteText(w, show, c.cfg.Issuer)
}

// WriteText answers with what a Texter holds, as a file to keep.
func WriteText(w http.ResponseWriter, show any, issuer string) error {
	t, ok := show.(Texter)
	if !ok {
		return fmt.Errorf("%T cannot be kept as a file", show)
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="recovery-codes.txt"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(t.Text(issuer)) // the client may be gone; there is nobody left to tell
	return nil
}

// noticePage is GET /.sallyport/continue: something to read before going on.
func (c *Challenge) noticePage(w http.ResponseWriter, r *http.Request) error {
	x, err := c.at(w, r, r.URL.Query().Get("flow"), stepNotice)
	if x == nil {
		return err
	}
	defer x.close()
	template, title := "challenge/registered", "challenge.registered.title"
	if x.data.Notice == noticeRecovery {
		template, title = "challenge/recovery-used", "challenge.recovery_used.title"
	}
	return x.render(http.StatusOK, template, title, noticePage{Form: x.form(pathNotice), Name: x.data.Name,
		Left: x.data.Left, Codes: x.data.Left > 0, App: x.app(), ToSecurityInfo: x.f.Need.Cause != toSecurityInfo})
}

// noticeForm is POST /.sallyport/continue.
func (c *Challenge) noticeForm(w http.ResponseWriter, r *http.Request) error {
	x, err := c.at(w, r, r.PostForm.Get("flow"), stepNotice)
	if x == nil {
		return err
	}
	defer x.close()
	if x.data.Notice == noticeRecovery && r.PostForm.Get("to") == toSecurityInfo {
		// Another target, not another redirect at the end: a double click and the back
		// button lead there, too. The app asks for its session when it is opened.
		if x.target, err = c.readTarget(c.cfg.Portal + pathInfo); err != nil {
			return fmt.Errorf("leading to security info: %w", err)
		}
		x.f.ReturnURL, x.f.Route, x.f.State = x.target.url, x.target.route, sallyport.TokenHash{}
	}
	x.data.Notice, x.data.Name, x.data.Left = "", "", 0
	return x.advance()
}
