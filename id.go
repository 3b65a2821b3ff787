package sallyport

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/google/uuid"
)

// Identifiers are UUIDv7 in their canonical text form, so that they sort by the
// time they were made. They name things and open nothing.
type (
	// UserID names a user; it is the `sub` of the assertion and never changes.
	UserID string
	// SessionID names a session (`sid`); cookies carry tokens, never this.
	SessionID string
	// FlowID names a flow; it appears in forms and in the audit log.
	FlowID string
	// MethodID names one registered verification method.
	MethodID string
	// DeviceID names one remembered device.
	DeviceID string
)

// NewID returns a new UUIDv7 (RFC 9562, section 5.7).
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// TokenBytes is the length of every secret token before encoding.
const TokenBytes = 32

// NewToken returns 32 random bytes in unpadded base64url (43 characters).
func NewToken() string {
	var b [TokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// TokenHash is the SHA-256 of a token: what the store keeps in its place.
type TokenHash [sha256.Size]byte

// HashToken returns the hash under which a token is stored and looked up.
func HashToken(token string) TokenHash { return sha256.Sum256([]byte(token)) }

// String returns the hash in unpadded base64url.
func (h TokenHash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }
