package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/seal"
)

// Options are what a Manager is built from.
type Options struct {
	// Portal is the origin of the portal, "https://login.example.com".
	Portal string
	Keys   *seal.Keyring
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger
}

// Manager loads, makes, raises and ends sessions. It is safe for concurrent use.
type Manager struct{ store Store }

var errTODO = errors.New("laid out, not built")

// New returns a manager; Run must be running for changes to be seen.
func New(cfg Config, devices DeviceConfig, store Store, o Options) (*Manager, error) {
	return &Manager{store: store}, nil
}

// SignIn is a completed flow about to become a session.
type SignIn struct {
	User     sallyport.User
	Provider string
	Groups   []string // qualified
	Proofs   []sallyport.Proof
	DeviceID sallyport.DeviceID // remembered device that stood in for verification
	Events   []audit.Event
}

// Browser is one browser on the portal, known by its flow cookie.
type Browser struct {
	// Hash binds flows to the browser.
	Hash sallyport.TokenHash
	// CSRF is the token for the `csrf` field of every form of this browser.
	CSRF string
}

// Run follows changes of the store, writes last-seen times behind, and sweeps,
// until ctx ends.
func (m *Manager) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Load returns the grant of the request's host token; nil without an error when
// there is none or it is no longer good.
func (m *Manager) Load(r *http.Request) (*sallyport.Grant, error) { return nil, errTODO }

// SignIn makes the portal session of a completed flow and sets its cookie. A
// live session of the same user in this browser goes on under a new token, with
// its earlier proofs kept; one of another user ends.
func (m *Manager) SignIn(w http.ResponseWriter, r *http.Request, s SignIn) (*sallyport.Grant, error) {
	return nil, errTODO
}

// SignOut ends the request's session on every host and clears its cookie. No
// session is no error.
func (m *Manager) SignOut(w http.ResponseWriter, r *http.Request, events ...audit.Event) error {
	return errTODO
}

// Handoff makes a one-time code that carries g to the app host of f.ReturnURL,
// and returns where to send the browser.
func (m *Manager) Handoff(ctx context.Context, g *sallyport.Grant, f *sallyport.Flow) (location string, err error) {
	return "", errTODO
}

// Redeem takes the hand-off code of the request (on an app host), sets the
// host's cookie, and returns the absolute URL to go on to. Any fault is a
// *httperr.Error with CodeHandoff.
func (m *Manager) Redeem(w http.ResponseWriter, r *http.Request) (returnURL string, err error) {
	return "", errTODO
}

// State returns the hash of the app host's state cookie, setting one if there is
// none.
func (m *Manager) State(w http.ResponseWriter, r *http.Request) sallyport.TokenHash {
	return sallyport.TokenHash{}
}

// Browser returns the browser of a request to the portal, setting the flow
// cookie if there is none.
func (m *Manager) Browser(w http.ResponseWriter, r *http.Request) Browser { return Browser{} }

// CheckForm refuses a state-changing request that another origin sent or whose
// `csrf` field is not this browser's: *httperr.Error with CodeForgedForm.
func (m *Manager) CheckForm(r *http.Request) error { return errTODO }

// PeekDevice returns the remembered device that this browser shows for the user,
// without using it: it only chooses the lane of attempt counters. nil: none.
func (m *Manager) PeekDevice(r *http.Request, user sallyport.UserID) (*sallyport.Device, error) {
	return nil, errTODO
}

// UseDevice judges the remembered device that this browser shows for the user,
// and sets the rotated token. nil: verification is needed.
func (m *Manager) UseDevice(w http.ResponseWriter, r *http.Request, user sallyport.UserID) (*sallyport.Device, error) {
	return nil, errTODO
}

// Remember makes this browser a remembered device of the user.
func (m *Manager) Remember(w http.ResponseWriter, r *http.Request, user sallyport.UserID, events ...audit.Event) error {
	return errTODO
}

// CurrentDevice returns the ID of the remembered device that this browser shows
// for the user, "" if none, for marking it in a list.
func (m *Manager) CurrentDevice(r *http.Request, user sallyport.UserID) sallyport.DeviceID { return "" }
