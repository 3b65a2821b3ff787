package recovery

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/challenge"
	"sallyport/store/storetest"
)

func propose(t *testing.T, m *Method, u sallyport.User) ([]byte, Codes) {
	t.Helper()
	pending, err := m.Propose(u)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := m.Show(u, pending)
	if err != nil {
		t.Fatal(err)
	}
	return pending, shown.(Codes)
}

// Ten codes, each once, each only for its user, in any spelling; a new set ends
// the old one; the store never sees a code.
func TestCodes(t *testing.T) {
	db := storetest.New(t, nil)
	m := New(db, storetest.Keys(t))
	ctx := context.Background()
	var users []sallyport.User
	for _, name := range []string{"alice", "bob"} {
		u := sallyport.User{ID: sallyport.UserID(sallyport.NewID()), Name: name, State: sallyport.StateEnforced}
		if err := db.CreateUser(ctx, u, nil); err != nil {
			t.Fatal(err)
		}
		users = append(users, u)
	}
	alice, bob := users[0], users[1]
	now := time.Now()
	old, oldCodes := propose(t, m, alice)
	pending, codes := propose(t, m, alice)
	for i, p := range [][]byte{old, pending} {
		made := now.Add(time.Duration(i) * time.Second)
		if _, err := m.Register(ctx, challenge.Registration{User: alice, Pending: p, Now: made}); err != nil {
			t.Fatal(err)
		}
	}
	try := func(u sallyport.User, typed string) error {
		code, ok := m.Clean(typed)
		if !ok {
			t.Fatalf("%q is no code", typed)
		}
		_, err := m.Verify(ctx, u.ID, code, now)
		return err
	}
	for name, err := range map[string]error{"of the old set": try(alice, oldCodes.Codes[0]), "of another user": try(bob, codes.Codes[0]), "made up": try(alice, "00000-00000")} {
		if !errors.Is(err, challenge.ErrWrongCode) {
			t.Errorf("a code %s: %v, want ErrWrongCode", name, err)
		}
	}
	for i, c := range codes.Codes {
		spelt := []string{c, strings.ToUpper(c), strings.ReplaceAll(c, "-", " "), strings.ReplaceAll(strings.ReplaceAll(c, "0", "O"), "1", "l")}[i%4]
		if err := try(alice, spelt); err != nil {
			t.Errorf("code %d as %q: %v", i, spelt, err)
		}
		if err := try(alice, c); !errors.Is(err, sallyport.ErrUsed) {
			t.Errorf("code %d again: %v, want ErrUsed", i, err)
		}
	}
	if ready, err := m.Ready(ctx, alice.ID); err != nil || ready {
		t.Errorf("ready without a code left: %v %v", ready, err)
	}
}

// Codes have 50 bits, of an alphabet in which nothing looks like something else,
// and no two are equal.
func TestAlphabet(t *testing.T) {
	if len(alphabet) != 32 || strings.ContainsAny(alphabet, "ilou") || length*5 < 50 {
		t.Fatalf("%d characters of %q", length, alphabet)
	}
	m := New(nil, storetest.Keys(t))
	seen := map[string]bool{}
	used := map[rune]bool{}
	for range 200 {
		_, c := propose(t, m, sallyport.User{})
		for _, code := range c.Codes {
			if seen[code] || len(code) != length+1 {
				t.Fatalf("code %q", code)
			}
			seen[code] = true
			for _, r := range code {
				used[r] = true
			}
		}
	}
	if len(used) != 33 { // and the hyphen
		t.Errorf("%d different characters in 2000 codes, want 33", len(used))
	}
}

// What was not made by Propose is neither shown nor stored.
func TestForeignPending(t *testing.T) {
	m := New(nil, storetest.Keys(t))
	for _, p := range []string{"", "null", "{}", `["a"]`, `["a","b","c","d","e","f","g","h","i","j"]`} {
		if _, err := m.Show(sallyport.User{}, []byte(p)); err == nil {
			t.Errorf("%q was shown", p)
		}
		if _, err := m.Register(context.Background(), challenge.Registration{Pending: []byte(p)}); err == nil {
			t.Errorf("%q was registered", p)
		}
	}
}
