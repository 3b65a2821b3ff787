package session

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"sallyport"
	"sallyport/internal/seal"
)

// Cookie names. The __Host- prefix ties each to its exact host, so that no
// neighbour can set it and none leaks to one.
const (
	hostCookieName   = "__Host-sallyport"
	stateCookieName  = "__Host-sallyport-state"
	flowCookieName   = "__Host-sallyport-flow"
	deviceCookieName = "__Host-sallyport-device-" // followed by a keyed hash of the user
)

// maxCookie bounds the work on a value: ours are about 170 bytes.
const maxCookie = 512

// cookies seals tokens into cookie values and opens them, so that anything we
// did not issue is turned away before the store is asked.
type cookies struct{ codec *securecookie.SecureCookie }

func newCookies(keys *seal.Keyring) (cookies, error) {
	if keys == nil {
		return cookies{}, fmt.Errorf("sessions need a master key")
	}
	sc := securecookie.New(keys.Derive("cookie authentication", 64), keys.Derive("cookie encryption", 32)).
		SetSerializer(securecookie.NopEncoder{}).
		MaxAge(0). // the store knows when a token ends
		MaxLength(maxCookie)
	return cookies{codec: sc}, nil
}

// set sends a cookie with the sealed token. life 0: until the browser closes.
func (c cookies) set(w http.ResponseWriter, name, token string, life time.Duration) {
	// The codec encrypts the slice it is given in place: hand it a copy.
	value, err := c.codec.Encode(name, []byte(token))
	if err != nil {
		panic(fmt.Sprintf("sealing a cookie: %v", err)) // keys and length are ours: cannot fail
	}
	http.SetCookie(w, cookie(name, value, int(life/time.Second)))
}

func (c cookies) clear(w http.ResponseWriter, name string) {
	http.SetCookie(w, cookie(name, "", -1))
}

func cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// open returns the token in a cookie value that we sealed under that name.
func (c cookies) open(name, value string) (string, bool) {
	if len(value) > maxCookie {
		return "", false
	}
	var b []byte
	if err := c.codec.Decode(name, value, &b); err != nil || len(b) != tokenLen {
		return "", false
	}
	return string(b), true
}

// tokenLen is the length of sallyport.NewToken.
const tokenLen = 43

// read returns the token of the request's cookie of that name.
func (c cookies) read(r *http.Request, name string) (string, bool) {
	value, ok := findCookie(r.Header["Cookie"], name)
	if !ok {
		return "", false
	}
	return c.open(name, value)
}

// hostCookie finds the host token's cookie.
func hostCookie(lines []string) (string, bool) { return findCookie(lines, hostCookieName) }

// findCookie returns the value of the cookie of exactly that name. Two of the
// same name select nothing: one of them is not ours, and which one is not for an
// attacker to choose. It looks at bytes once and allocates nothing, however many
// cookies there are.
func findCookie(lines []string, name string) (value string, ok bool) {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			for pair != "" && (pair[0] == ' ' || pair[0] == '\t') {
				pair = pair[1:]
			}
			if len(pair) <= len(name) || pair[len(name)] != '=' || pair[:len(name)] != name {
				continue
			}
			if ok {
				return "", false
			}
			value, ok = strings.TrimRight(pair[len(name)+1:], " \t"), true
		}
	}
	return value, ok && value != "" && len(value) <= maxCookie
}

// State returns the hash of the app host's state cookie, setting one if there is
// none. It binds a hand-off to the browser that asked for it.
func (m *Manager) State(w http.ResponseWriter, r *http.Request) sallyport.TokenHash {
	return sallyport.HashToken(m.ensure(w, r, stateCookieName))
}

// ensure returns the token of a cookie, making one if there is none of ours.
func (m *Manager) ensure(w http.ResponseWriter, r *http.Request, name string) string {
	if token, ok := m.cookies.read(r, name); ok {
		return token
	}
	token := sallyport.NewToken()
	m.cookies.set(w, name, token, 0)
	return token
}
