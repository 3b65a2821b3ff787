// Package totp is the verification method "authenticator app": time-based codes
// of six digits (RFC 6238: SHA-1, 30 seconds), as every such app knows them.
package totp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
)

const (
	period      = 30 // seconds
	digits      = otp.DigitsSix
	secretBytes = 20 // RFC 4226, section 4: at least 16, better 20
	// window is how many steps around the expected one are accepted.
	window = 1
	// maxDrift is how far the clock of an app may be learned to be off, in steps.
	maxDrift = 5
	// maxMethods is how many authenticator apps one user may have.
	maxMethods = 5
)

// Store is what authenticator apps need of the store; see challenge.Store.
type Store interface {
	Methods(ctx context.Context, user sallyport.UserID) ([]sallyport.Method, error)
	UseMethod(ctx context.Context, id sallyport.MethodID, counter int64, drift int, at time.Time) error
	RegisterMethod(ctx context.Context, m sallyport.Method, max int, events func(promoted bool) []audit.Event) error
}

// Method is the method; it implements challenge.Method.
type Method struct {
	store  Store
	issuer string
}

//go:embed templates catalog
var assets embed.FS

// Assets returns the templates and catalogue parts of this package.
func Assets() fs.FS { return assets }

// New returns the method. issuer is the name that apps show above the account.
func New(store Store, issuer string) *Method {
	// A colon would end the issuer within the label.
	issuer = strings.TrimSpace(strings.ReplaceAll(issuer, ":", " "))
	if issuer == "" {
		issuer = "Sallyport"
	}
	return &Method{store: store, issuer: issuer}
}

// Kind implements challenge.Method.
func (m *Method) Kind() sallyport.Kind { return sallyport.KindTOTP }

// VerifyTemplate implements challenge.Method.
func (m *Method) VerifyTemplate() string { return "totp/verify" }

// RegisterTemplate implements challenge.Method.
func (m *Method) RegisterTemplate() string { return "totp/register" }

// Ready implements challenge.Method.
func (m *Method) Ready(ctx context.Context, user sallyport.UserID) (bool, error) {
	apps, err := m.apps(ctx, user)
	return len(apps) > 0, err
}

func (m *Method) apps(ctx context.Context, user sallyport.UserID) ([]sallyport.Method, error) {
	all, err := m.store.Methods(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("authenticator apps: %w", err)
	}
	var apps []sallyport.Method
	for _, a := range all {
		if a.Kind == sallyport.KindTOTP {
			apps = append(apps, a)
		}
	}
	return apps, nil
}

// Clean implements challenge.Method: six digits, however they were typed.
func (m *Method) Clean(typed string) (string, bool) {
	code := challenge.NormalizeCode(typed)
	if len(code) != digits.Length() {
		return "", false
	}
	for _, c := range []byte(code) {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return code, true
}

// Verify implements challenge.Method. A code counts for any of the user's apps,
// since a person with a phone and a tablet does not know which is which.
func (m *Method) Verify(ctx context.Context, user sallyport.UserID, code string, now time.Time) (challenge.Use, error) {
	apps, err := m.apps(ctx, user)
	if err != nil {
		return challenge.Use{}, err
	}
	used := false
	for _, app := range apps {
		step, drift, err := Match(app.Secret, code, now, app.Drift, app.Counter)
		if errors.Is(err, sallyport.ErrUsed) {
			used = true
		}
		if err != nil {
			continue
		}
		err = m.store.UseMethod(ctx, app.ID, step, drift, now)
		if errors.Is(err, sallyport.ErrUsed) { // another request was first with this very code
			used = true
			continue
		}
		if err != nil {
			return challenge.Use{}, fmt.Errorf("using a code: %w", err)
		}
		return challenge.Use{MethodID: app.ID, Name: app.Name, Left: -1}, nil
	}
	if used {
		return challenge.Use{}, fmt.Errorf("code: %w", sallyport.ErrUsed)
	}
	return challenge.Use{}, challenge.ErrWrongCode
}

// Match finds the time step of a code, around now as the app's clock has it, and
// the drift to remember from then on: it follows the app's clock by at most one
// step. last is the newest step that was accepted: neither it nor an older one
// is again. It returns challenge.ErrWrongCode, or an error wrapping
// sallyport.ErrUsed for a code that is right but not new.
func Match(secret []byte, code string, now time.Time, drift int, last int64) (step int64, newDrift int, err error) {
	center := stepAt(now) + int64(drift)
	found, used := false, false
	// Every step of the window is computed and compared whatever the others gave,
	// so that time tells nothing.
	for _, off := range []int64{-window, window, 0} { // the expected step last: it wins
		at := center + off
		if at < 0 {
			continue
		}
		want, err := codeAt(secret, at)
		if err != nil {
			return 0, drift, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) != 1 {
			continue
		}
		if at <= last {
			used = true
			continue
		}
		found, step, newDrift = true, at, clamp(drift+int(off))
	}
	switch {
	case found:
		return step, newDrift, nil
	case used:
		return 0, drift, fmt.Errorf("step %d or before: %w", last, sallyport.ErrUsed)
	}
	return 0, drift, challenge.ErrWrongCode
}

func clamp(drift int) int { return max(-maxDrift, min(maxDrift, drift)) }

func stepAt(t time.Time) int64 { return int64(math.Floor(float64(t.Unix()) / period)) }

func codeAt(secret []byte, step int64) (string, error) {
	code, err := hotp.GenerateCodeCustom(encode(secret), uint64(step), hotp.ValidateOpts{Digits: digits, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "", fmt.Errorf("computing a code: %w", err)
	}
	return code, nil
}

func encode(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// pending is a registration under way. Its ID is the method's, so that storing it
// a second time fails.
type pending struct {
	ID     sallyport.MethodID `json:"id"`
	Secret []byte             `json:"secret"`
}

// Propose implements challenge.Method.
func (m *Method) Propose(sallyport.User) ([]byte, error) {
	p := pending{ID: sallyport.MethodID(sallyport.NewID()), Secret: make([]byte, secretBytes)}
	_, _ = rand.Read(p.Secret) // never fails: crypto/rand ends the process instead
	return json.Marshal(p)
}

func open(b []byte) (pending, error) {
	var p pending
	if err := json.Unmarshal(b, &p); err != nil || len(p.Secret) != secretBytes || p.ID == "" {
		return p, errors.New("not a pending authenticator app")
	}
	return p, nil
}

// Register implements challenge.Method.
func (m *Method) Register(ctx context.Context, r challenge.Registration) (sallyport.Method, error) {
	p, err := open(r.Pending)
	if err != nil {
		return sallyport.Method{}, err
	}
	step, drift, err := Match(p.Secret, r.Code, r.Now, 0, -1)
	if err != nil {
		return sallyport.Method{}, err
	}
	if r.Claim != nil {
		if err := r.Claim(); err != nil {
			return sallyport.Method{}, err
		}
	}
	name, err := m.freeName(ctx, r.User.ID, r.Name)
	if err != nil {
		return sallyport.Method{}, err
	}
	app := sallyport.Method{ID: p.ID, UserID: r.User.ID, Kind: sallyport.KindTOTP, Name: name, Secret: p.Secret,
		Counter: step, Drift: drift, CreatedAt: r.Now}
	limit := maxMethods
	if r.First {
		limit = 1 // in the store's transaction, so that of two wizards one wins
	}
	err = m.store.RegisterMethod(ctx, app, limit, func(promoted bool) []audit.Event {
		if r.Record == nil {
			return nil
		}
		return r.Record(app, promoted)
	})
	if err != nil {
		return sallyport.Method{}, fmt.Errorf("registering an authenticator app: %w", err)
	}
	return app, nil
}

// freeName returns the wanted name, with a number where the user has an app of
// that name already: two of one name could not be told apart in a list.
func (m *Method) freeName(ctx context.Context, user sallyport.UserID, wanted string) (string, error) {
	apps, err := m.apps(ctx, user)
	if err != nil {
		return "", err
	}
	taken := map[string]bool{}
	for _, a := range apps {
		taken[a.Name] = true
	}
	if wanted == "" {
		wanted = "Authenticator app"
	}
	name := wanted
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s %d", wanted, n)
	}
	return name, nil
}
