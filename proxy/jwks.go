package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"
)

// jwksMaxAge, in seconds, is far below the time that a key is published before it
// signs, so no cache misses it.
const jwksMaxAge = "300"

// JWKS serves the public keys (RFC 7517) for GET and HEAD, at any path it is
// mounted under. It answers 503 until keys are loaded.
func (k *Keys) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ring := k.ring.Load()
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		case ring == nil:
			http.Error(w, "no keys yet", http.StatusServiceUnavailable)
		default:
			sum := sha256.Sum256(ring.jwks)
			h := w.Header()
			h.Set("Content-Type", "application/jwk-set+json")
			h.Set("Cache-Control", "public, max-age="+jwksMaxAge)
			h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
			h.Set("X-Content-Type-Options", "nosniff")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(ring.jwks))
		}
	})
}
