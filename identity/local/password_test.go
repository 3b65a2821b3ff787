package local_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"sallyport"
	"sallyport/identity"
	"sallyport/identity/local"
)

func TestWrongPasswords(t *testing.T) {
	p, _ := company(t, cheap())
	account, err := p.FindAccount(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{
		"", "tortoise-73-lantern", goodPassword + " ", " " + goodPassword, goodPassword + "\x00", goodPassword + "\n",
		goodPassword[:len(goodPassword)-1], "\xff", strings.Repeat("x", 5000),
	} {
		if id, err := p.CheckPassword(t.Context(), account, wrong); !errors.Is(err, identity.ErrWrongPassword) || id != nil {
			t.Errorf("%q: %+v, %v", wrong, id, err)
		}
	}
	id, err := p.CheckPassword(t.Context(), account, goodPassword)
	if err != nil || id.Username != "Alice" || id.Email != "A@mail.example" || id.Name != "Alice Ashford" || id.Provider != "local" {
		t.Errorf("%+v, %v", id, err)
	}
}

// RFC 8265, section 4.2: a Mac sends が as two code points where Windows sends
// one, and a Japanese input method types a wide space.
func TestInputMethodsGiveOnePassword(t *testing.T) {
	h, err := local.NewHasher(cheap())
	if err != nil {
		t.Fatal(err)
	}
	hash, err := h.Hash(t.Context(), "ながい ぱすわーど が")
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]bool{
		"ながい ぱすわーど が":                         true,
		"なか\u3099い は\u309aすわーと\u3099 か\u3099": true,
		"ながい\u3000ぱすわーど\u00a0が":               true,
		"なかい ぱすわーど が":                         false,
		"ながいぱすわーどが":                           false,
		"ながい ﾊﾟすわーど が":                        false, // width is kept
	} {
		if ok, _, err := h.Check(t.Context(), hash, typed); err != nil || ok != want {
			t.Errorf("%q: %v, %v", typed, ok, err)
		}
	}
}

// H2: a name that does not exist was answered at once, and so could be told
// from one that does. Both cost one hash of the same parameters.
func TestUnknownUserTakesAsLongH2(t *testing.T) {
	p, m := company(t, local.HashCost{Time: 2, MemoryMiB: 19})
	known, err := p.FindAccount(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := p.FindAccount(t.Context(), "mallory")
	if err != nil || unknown.Known() {
		t.Fatalf("%+v, %v", unknown, err)
	}
	// Made when one hash cost an eighth of today's.
	old, err := local.NewHasher(local.HashCost{Time: 1, MemoryMiB: 8})
	if err != nil {
		t.Fatal(err)
	}
	if m.hashes["u-bob"], err = old.Hash(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	outdated, err := p.FindAccount(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	// The fastest of several turns, taken by turns, since other work only adds.
	accounts := map[string]identity.Account{"known": known, "unknown": unknown, "outdated hash": outdated}
	best := map[string]time.Duration{}
	for range 9 {
		for name, a := range accounts {
			began := time.Now()
			if _, err := p.CheckPassword(t.Context(), a, "wrong password"); !errors.Is(err, identity.ErrWrongPassword) {
				t.Fatal(err)
			}
			if took := time.Since(began); best[name] == 0 || took < best[name] {
				best[name] = took
			}
		}
	}
	t.Logf("%v", best)
	for name, took := range best {
		if took < best["known"]/2 || took > best["known"]*2 {
			t.Errorf("%s: %s, a known user: %s", name, took, best["known"])
		}
	}
}

func TestHashIsRenewedWhenTheCostRises(t *testing.T) {
	p, m := company(t, local.HashCost{Time: 2, MemoryMiB: 9})
	old, err := local.NewHasher(cheap())
	if err != nil {
		t.Fatal(err)
	}
	before, err := old.Hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	m.hashes["u-alice"] = before
	account, err := p.FindAccount(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CheckPassword(t.Context(), account, "wrong"); !errors.Is(err, identity.ErrWrongPassword) || m.hashes["u-alice"] != before {
		t.Fatalf("a wrong password changed the hash: %v", err)
	}
	if _, err := p.CheckPassword(t.Context(), account, goodPassword); err != nil {
		t.Fatal(err)
	}
	after := m.hashes["u-alice"]
	if !strings.HasPrefix(after, "$argon2id$v=19$m=9216,t=2,p=1$") {
		t.Fatalf("the hash is still %s", after)
	}
	if _, err := p.CheckPassword(t.Context(), account, goodPassword); err != nil {
		t.Errorf("the new hash: %v", err)
	}
	if m.hashes["u-alice"] != after {
		t.Error("a hash of today's cost was renewed")
	}
}

func TestPHCStringIsTheUsualOne(t *testing.T) {
	h, err := local.NewHasher(local.HashCost{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.Hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.Hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") || a == b {
		t.Errorf("%s and %s", a, b)
	}
	// The reference implementation's own vector (phc-winner-argon2, test.c):
	// "password" with the salt "somesalt", t=2, m=64 MiB, p=1.
	const vector = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, _, err := h.Check(t.Context(), vector, "password"); err != nil || !ok {
		t.Errorf("the reference vector: %v, %v", ok, err)
	}
	if argon2.Version != 19 {
		t.Errorf("argon2 version %d", argon2.Version)
	}
}

// A hash with m=4294967295 once made a server allocate 4 TiB at the next sign-in
// of its user.
func TestMalformedHashesAreRefused(t *testing.T) {
	h, err := local.NewHasher(cheap())
	if err != nil {
		t.Fatal(err)
	}
	good, err := h.Hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Split(good, "$")
	salt, key := f[4], f[5]
	for _, bad := range []string{
		"", "$", "$argon2id$", goodPassword,
		strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "argon2id", "argon2d", 1),
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=8192", "m=4294967295", 1),
		strings.Replace(good, "m=8192", "m=1048577", 1),
		strings.Replace(good, "m=8192", "m=0", 1),
		strings.Replace(good, "m=8192", "m=-1", 1),
		strings.Replace(good, "m=8192", "m=08192", 1),
		strings.Replace(good, "m=8192", "m=+8192", 1),
		strings.Replace(good, "m=8192", "m=99999999999999999999", 1),
		strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "t=1", "t=4000000000", 1),
		strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "p=1", "p=255", 1),
		strings.Replace(good, "p=1", "p=257", 1),
		strings.Replace(good, ",p=1", "", 1),
		strings.Replace(good, "m=8192,t=1", "t=1,m=8192", 1),
		strings.Replace(good, ",p=1", ",p=1,x=1", 1),
		good + "$", good + "=", good + "\n", " " + good,
		strings.TrimSuffix(good, key), strings.TrimSuffix(good, key[1:]),
		strings.Replace(good, salt, "", 1),
		strings.Replace(good, salt, "AAAA", 1),
		strings.Replace(good, salt, salt[:10]+"\n"+salt[10:], 1),
		strings.Replace(good, key, strings.Repeat("A", 2000), 1),
		"$2y$10$abcdefghijklmnopqrstuu",
	} {
		ok, _, err := h.Check(t.Context(), bad, goodPassword)
		if !errors.Is(err, local.ErrBadHash) || ok {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
		if err != nil && len(key) > 8 && strings.Contains(err.Error(), key) {
			t.Errorf("the error repeats the hash: %v", err)
		}
	}
}

// Sign-ins wait for memory and give up with their request.
func TestHashesWaitForASlot(t *testing.T) {
	h, err := local.NewHasher(local.HashCost{Time: 4, MemoryMiB: 64, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	started, done := make(chan struct{}), make(chan error, 1)
	go func() {
		close(started)
		_, err := h.Hash(context.Background(), goodPassword)
		done <- err
	}()
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for { // until the other holds the slot, a cancelled one fails all the same
		if _, err := h.Hash(ctx, goodPassword); !errors.Is(err, sallyport.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled request: %v", err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}
