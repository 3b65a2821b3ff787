// Package seal encrypts what the store keeps secret, under keys derived from the
// master key (HKDF, RFC 5869) with AES-256-GCM and random nonces.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// KeySize is the length of the master key in bytes.
const KeySize = 32

// ErrOpen means that a sealed value is damaged, was sealed under another key, or
// belongs to another place.
var ErrOpen = errors.New("sealed value cannot be opened: damaged, moved, or sealed under another master key")

// Keyring seals and opens under one master key. It is safe for concurrent use.
type Keyring struct {
	master []byte
	id     string
	aead   cipher.AEAD
}

// New returns a keyring for a master key of KeySize bytes.
func New(master []byte) (*Keyring, error) {
	if len(master) != KeySize {
		return nil, fmt.Errorf("master key has %d bytes, want %d", len(master), KeySize)
	}
	k := &Keyring{master: append([]byte(nil), master...)}
	sum := sha256.Sum256(k.Derive("key id", 32))
	k.id = hex.EncodeToString(sum[:4])
	block, err := aes.NewCipher(k.Derive("seal", 32))
	if err != nil {
		return nil, err
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	return k, nil
}

// ReadFile reads a master key file: 32 bytes in base64, white space around it
// ignored.
func ReadFile(path string) (*Keyring, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("master key %s: not base64 of %d bytes", path, KeySize)
	}
	k, err := New(key)
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", path, err)
	}
	return k, nil
}

// Generate returns a new master key in base64, with a line feed.
func Generate() []byte {
	var b [KeySize]byte
	_, _ = rand.Read(b[:])
	return append([]byte(base64.StdEncoding.EncodeToString(b[:])), '\n')
}

// ID names the master key; it reveals nothing of it.
func (k *Keyring) ID() string { return k.id }

// Derive returns n bytes for a purpose of their own.
func (k *Keyring) Derive(purpose string, n int) []byte {
	out, err := hkdf.Key(sha256.New, k.master, nil, "sallyport "+purpose, n)
	if err != nil {
		panic(err) // n is a constant of the caller, far below the limit of HKDF
	}
	return out
}

// Seal encrypts plain for one column of one row: key ID, nonce, ciphertext. The
// place is authenticated, so a value copied to another row does not open.
func (k *Keyring) Seal(plain []byte, table, column, row string) []byte {
	nonce := make([]byte, k.aead.NonceSize())
	_, _ = rand.Read(nonce)
	out := append([]byte(k.id), nonce...)
	return k.aead.Seal(out, nonce, plain, place(k.id, table, column, row))
}

// Open reverses Seal; it returns ErrOpen for anything it did not seal there.
func (k *Keyring) Open(sealed []byte, table, column, row string) ([]byte, error) {
	n := len(k.id) + k.aead.NonceSize()
	if len(sealed) < n || string(sealed[:len(k.id)]) != k.id {
		return nil, ErrOpen
	}
	plain, err := k.aead.Open(nil, sealed[len(k.id):n], sealed[n:], place(k.id, table, column, row))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

func place(parts ...string) []byte { return []byte(strings.Join(parts, "\x00")) }
