package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"sallyport"
	"sallyport/internal/httperr"
)

// Browser is one browser on the portal, known by its flow cookie.
type Browser struct {
	// Hash binds flows to the browser.
	Hash sallyport.TokenHash
	// CSRF is the token for the `csrf` field of every form of this browser.
	CSRF string
}

// Browser returns the browser of a request to the portal, setting the flow
// cookie if there is none.
func (m *Manager) Browser(w http.ResponseWriter, r *http.Request) Browser {
	return m.browser(m.ensure(w, r, flowCookieName))
}

func (m *Manager) browser(token string) Browser {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("sallyport csrf"))
	return Browser{Hash: sallyport.HashToken(token), CSRF: base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}
}

// flowBrowser is the Browser.Hash of a request to the portal; zero where there is
// no flow cookie, as on app hosts.
func (m *Manager) flowBrowser(r *http.Request) sallyport.TokenHash {
	token, ok := m.cookies.read(r, flowCookieName)
	if !ok {
		return sallyport.TokenHash{}
	}
	return sallyport.HashToken(token)
}

// CheckForm refuses a state-changing request that another origin sent, or whose
// `csrf` field is not this browser's: *httperr.Error with CodeForgedForm. Bodies
// that cannot be read as a form are CodeBadRequest or CodeTooLarge.
func (m *Manager) CheckForm(r *http.Request) error {
	if err := m.origin.Check(r); err != nil {
		return fault(sallyport.CodeForgedForm, "form from another origin: %w", err)
	}
	// Browsers too old for Sec-Fetch-Site and Origin still owe us the token; a
	// request that names another origin has been refused above.
	if err := r.ParseForm(); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return httperr.New(http.StatusRequestEntityTooLarge, sallyport.CodeTooLarge, err)
		}
		return httperr.New(http.StatusBadRequest, sallyport.CodeBadRequest, fmt.Errorf("form: %w", err))
	}
	token, ok := m.cookies.read(r, flowCookieName)
	if !ok {
		return fault(sallyport.CodeForgedForm, "form without the flow cookie of this browser")
	}
	got := r.PostForm["csrf"]
	if len(got) != 1 || subtle.ConstantTimeCompare([]byte(got[0]), []byte(m.browser(token).CSRF)) != 1 {
		return fault(sallyport.CodeForgedForm, "form with a wrong csrf field")
	}
	return nil
}
