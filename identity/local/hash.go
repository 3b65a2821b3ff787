package local

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"sallyport"
)

// Defaults and bounds of the cost; stored hashes beyond the bounds are refused,
// so that an imported one cannot take the machine's memory.
const (
	defaultTime   = 2
	maxTime       = 16
	defaultMemory = 19 // MiB
	minMemory     = 8
	maxMemory     = 1024
	maxParallel   = 256
	maxLanes      = 16

	saltSize = 16
	keySize  = 32
	maxPHC   = 512 // bytes of a PHC string
)

// ErrBadHash means that a stored hash is no PHC string of argon2id, or one with
// parameters out of bounds.
var ErrBadHash = errors.New("not a usable argon2id hash")

// Hasher makes and checks hashes of passwords. It bounds how many run at once,
// so that a flood of sign-ins cannot take all memory. It is safe for concurrent
// use.
type Hasher struct {
	cost params
	// slots counts KiB of memory that hashes may use together.
	slots *semaphore.Weighted
	size  int64
}

// NewHasher returns a hasher of that cost; zero fields mean the defaults.
func NewHasher(c HashCost) (*Hasher, error) {
	if faults := c.validate("hash"); len(faults) > 0 {
		return nil, faults
	}
	c = c.withDefaults()
	h := &Hasher{cost: params{time: uint32(c.Time), memory: uint32(c.MemoryMiB) << 10, lanes: 1}}
	h.size = int64(c.Parallel) * int64(h.cost.memory)
	h.slots = semaphore.NewWeighted(h.size)
	return h, nil
}

func (c HashCost) withDefaults() HashCost {
	if c.Time == 0 {
		c.Time = defaultTime
	}
	if c.MemoryMiB == 0 {
		c.MemoryMiB = defaultMemory
	}
	if c.Parallel == 0 {
		c.Parallel = min(runtime.GOMAXPROCS(0), maxParallel)
	}
	return c
}

// Hash returns the PHC string of a password under the hasher's cost and a new
// salt. It waits for a free slot and ends with ctx; a password that is no text
// (see Normalize) is an error.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	plain, err := Normalize(password)
	if err != nil {
		return "", err
	}
	p := phc{params: h.cost, salt: make([]byte, saltSize)}
	_, _ = rand.Read(p.salt) // never fails: crypto/rand ends the process instead
	if p.key, err = h.derive(ctx, plain, p.salt, p.params, keySize); err != nil {
		return "", err
	}
	return p.String(), nil
}

// Check judges a password against a PHC string. outdated says that the string
// was made at a lower cost than the hasher's and deserves a new hash. The error
// is ErrBadHash, or wraps sallyport.ErrUnavailable when no slot came free before
// ctx ended.
func (h *Hasher) Check(ctx context.Context, encoded, password string) (ok, outdated bool, err error) {
	p, err := parsePHC(encoded)
	if err != nil {
		return false, false, err
	}
	plain, textErr := Normalize(password)
	if textErr != nil {
		plain = "" // judged all the same, for the time it takes; it never matches
	}
	key, err := h.derive(ctx, plain, p.salt, p.params, uint32(len(p.key)))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(key, p.key) == 1 && textErr == nil
	return ok, p.below(h.cost), h.level(ctx, p.params, ok)
}

// Waste takes as long as judging a password, for a user who does not exist.
func (h *Hasher) Waste(ctx context.Context, password string) error {
	plain, err := Normalize(password)
	if err != nil {
		plain = ""
	}
	_, err = h.derive(ctx, plain, make([]byte, saltSize), h.cost, keySize)
	return err
}

// level makes a wrong password against an old, cheaper hash take as long as one
// against a hash of today's cost; else the time would tell which names exist.
func (h *Hasher) level(ctx context.Context, p params, ok bool) error {
	now, then := uint64(h.cost.time)*uint64(h.cost.memory), uint64(p.time)*uint64(p.memory)
	if ok || then >= now {
		return nil
	}
	rest := params{time: h.cost.time, memory: uint32((now - then) / uint64(h.cost.time)), lanes: 1}
	if rest.memory < 8 {
		return nil // less than argon2 can do, and than anybody can measure
	}
	_, err := h.derive(ctx, "", make([]byte, saltSize), rest, keySize)
	return err
}

func (h *Hasher) derive(ctx context.Context, plain string, salt []byte, p params, size uint32) ([]byte, error) {
	weight := min(int64(p.memory), h.size) // a larger one waits until it is alone
	if err := h.slots.Acquire(ctx, weight); err != nil {
		return nil, fmt.Errorf("wait for a free password check: %w: %w", sallyport.ErrUnavailable, err)
	}
	defer h.slots.Release(weight)
	return argon2.IDKey([]byte(plain), salt, p.time, p.memory, p.lanes, size), nil
}

// params are the cost of one hash; memory is in KiB.
type params struct {
	time, memory uint32
	lanes        uint8
}

// below reports whether p is weaker than want in any way.
func (p params) below(want params) bool { return p.time < want.time || p.memory < want.memory }

// phc is a parsed PHC string.
type phc struct {
	params
	salt, key []byte
}

// String returns $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func (p phc) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.memory, p.time, p.lanes, enc.EncodeToString(p.salt), enc.EncodeToString(p.key))
}

// parsePHC reads exactly the form that String writes. Its errors never hold the
// string.
func parsePHC(s string) (phc, error) {
	bad := func(what string) (phc, error) { return phc{}, fmt.Errorf("%w: %s", ErrBadHash, what) }
	if len(s) > maxPHC {
		return bad("too long")
	}
	f := strings.Split(s, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" {
		return bad("not argon2id")
	}
	if f[2] != "v="+strconv.Itoa(argon2.Version) {
		return bad("unknown version")
	}
	costs := strings.Split(f[3], ",")
	if len(costs) != 3 {
		return bad("parameters are not m,t,p")
	}
	m, okM := number(costs[0], "m=", 8, maxMemory<<10)
	t, okT := number(costs[1], "t=", 1, maxTime)
	l, okL := number(costs[2], "p=", 1, maxLanes)
	if !okM || !okT || !okL || m < 8*l {
		return bad("parameters out of bounds")
	}
	p := phc{params: params{time: t, memory: m, lanes: uint8(l)}}
	var errSalt, errKey error
	enc := base64.RawStdEncoding.Strict()
	p.salt, errSalt = enc.DecodeString(f[4])
	p.key, errKey = enc.DecodeString(f[5])
	if errSalt != nil || errKey != nil || strings.ContainsAny(s, "\r\n") {
		return bad("salt or hash is not base64")
	}
	if len(p.salt) < 8 || len(p.salt) > 64 || len(p.key) < 16 || len(p.key) > 64 {
		return bad("salt or hash of a wrong length")
	}
	return p, nil
}

// number reads "m=19456" with prefix "m=": plain digits within bounds.
func number(s, prefix string, low, high uint32) (uint32, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || uint32(n) < low || uint32(n) > high {
		return 0, false
	}
	return uint32(n), true
}
