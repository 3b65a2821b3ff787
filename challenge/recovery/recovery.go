// Package recovery is the verification method "recovery code": ten codes, shown
// once, each good for one sign-in when everything else is lost.
package recovery

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/challenge"
	"sallyport/internal/seal"
)

const (
	// Count is how many codes a set has.
	Count = 10
	// length of a code in characters; with 32 of them to choose from, 50 bits.
	length = 10
	// alphabet is Crockford's base 32: no i, l, o or u, and typing them for their
	// likenesses does no harm.
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
)

// Store is what recovery codes need of the store; see challenge.Store.
type Store interface {
	ReplaceRecoveryCodes(ctx context.Context, user sallyport.UserID, hashes [][]byte, made time.Time, events ...audit.Event) error
	UseRecoveryCode(ctx context.Context, user sallyport.UserID, hash []byte, at time.Time) error
	RecoveryCodesLeft(ctx context.Context, user sallyport.UserID) (int, error)
}

// Method is the method; it implements challenge.Method.
type Method struct {
	store Store
	key   []byte
}

//go:embed templates catalog
var assets embed.FS

// Assets returns the templates and catalogue parts of this package.
func Assets() fs.FS { return assets }

// New returns the method.
func New(store Store, keys *seal.Keyring) *Method {
	return &Method{store: store, key: keys.Derive("recovery codes", sha256.Size)}
}

// Kind implements challenge.Method.
func (m *Method) Kind() sallyport.Kind { return sallyport.KindRecovery }

// VerifyTemplate implements challenge.Method.
func (m *Method) VerifyTemplate() string { return "recovery/verify" }

// RegisterTemplate implements challenge.Method; its data is a
// challenge.CodesPage.
func (m *Method) RegisterTemplate() string { return "recovery/codes" }

// Ready implements challenge.Method.
func (m *Method) Ready(ctx context.Context, user sallyport.UserID) (bool, error) {
	n, err := m.store.RecoveryCodesLeft(ctx, user)
	if err != nil {
		return false, fmt.Errorf("recovery codes: %w", err)
	}
	return n > 0, nil
}

// Clean implements challenge.Method.
func (m *Method) Clean(typed string) (string, bool) {
	code := strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(challenge.NormalizeCode(typed))
	if len(code) != length {
		return "", false
	}
	for _, c := range code {
		if !strings.ContainsRune(alphabet, c) {
			return "", false
		}
	}
	return code, true
}

// Verify implements challenge.Method.
func (m *Method) Verify(ctx context.Context, user sallyport.UserID, code string, now time.Time) (challenge.Use, error) {
	err := m.store.UseRecoveryCode(ctx, user, m.hash(user, code), now)
	if errors.Is(err, sallyport.ErrNotFound) {
		return challenge.Use{}, challenge.ErrWrongCode
	}
	if err != nil {
		return challenge.Use{}, fmt.Errorf("using a recovery code: %w", err)
	}
	left, err := m.store.RecoveryCodesLeft(ctx, user)
	if err != nil {
		return challenge.Use{}, fmt.Errorf("counting recovery codes: %w", err)
	}
	return challenge.Use{Left: left}, nil
}

// hash is what the store keeps of a code. It is keyed, so that a stolen database
// alone does not let anybody search the 50 bits, and bound to the user.
func (m *Method) hash(user sallyport.UserID, code string) []byte {
	mac := hmac.New(sha256.New, m.key)
	fmt.Fprintf(mac, "%d:%s%s", len(user), user, code)
	return mac.Sum(nil)
}

// Propose implements challenge.Method: a new set of codes.
func (m *Method) Propose(sallyport.User) ([]byte, error) {
	codes := make([]string, Count)
	for i := range codes {
		var b [length]byte
		_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
		for j, v := range b {
			b[j] = alphabet[v%byte(len(alphabet))] // 256 is a multiple of 32: no bias
		}
		codes[i] = string(b[:])
	}
	return json.Marshal(codes)
}

func open(b []byte) ([]string, error) {
	var codes []string
	if err := json.Unmarshal(b, &codes); err != nil || len(codes) != Count {
		return nil, errors.New("not a pending set of recovery codes")
	}
	for _, c := range codes {
		if len(c) != length {
			return nil, errors.New("not a pending set of recovery codes")
		}
	}
	return codes, nil
}

// Register implements challenge.Method: the new set, of the moment r.Now,
// replaces the old one. It needs no code.
func (m *Method) Register(ctx context.Context, r challenge.Registration) (sallyport.Method, error) {
	codes, err := open(r.Pending)
	if err != nil {
		return sallyport.Method{}, err
	}
	if r.Claim != nil {
		if err := r.Claim(); err != nil {
			return sallyport.Method{}, err
		}
	}
	hashes := make([][]byte, len(codes))
	for i, c := range codes {
		hashes[i] = m.hash(r.User.ID, c)
	}
	set := sallyport.Method{UserID: r.User.ID, Kind: sallyport.KindRecovery, CreatedAt: r.Now}
	var events []audit.Event
	if r.Record != nil {
		events = r.Record(set, false)
	}
	if err := m.store.ReplaceRecoveryCodes(ctx, r.User.ID, hashes, r.Now, events...); err != nil {
		return sallyport.Method{}, fmt.Errorf("replacing recovery codes: %w", err)
	}
	return set, nil
}

// Codes is what the page shows once.
type Codes struct {
	Account string
	Codes   []string // in two groups of five
}

// Show implements challenge.Method; it returns Codes.
func (m *Method) Show(user sallyport.User, b []byte) (any, error) {
	codes, err := open(b)
	if err != nil {
		return nil, err
	}
	out := Codes{Account: user.Name, Codes: make([]string, len(codes))}
	for i, c := range codes {
		out.Codes[i] = c[:length/2] + "-" + c[length/2:]
	}
	return out, nil
}

// Text implements challenge.Texter: the codes as a file to keep, in lines that
// every editor of every system shows apart.
func (c Codes) Text(issuer string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\r\n\r\n", issuer, c.Account)
	for i, code := range c.Codes {
		fmt.Fprintf(&b, "%2d  %s\r\n", i+1, code)
	}
	return []byte(b.String())
}
