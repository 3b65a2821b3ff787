package local_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"sallyport"
	"sallyport/identity/local"
)

// memory is a store of users; names map to users as the real store's do.
type memory struct {
	mu     sync.Mutex
	users  map[string]sallyport.User // by folded name and address
	hashes map[sallyport.UserID]string
	down   error
}

func (m *memory) UserByName(_ context.Context, folded string) (sallyport.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return sallyport.User{}, m.down
	}
	u, ok := m.users[folded]
	if !ok {
		return sallyport.User{}, sallyport.ErrNotFound
	}
	return u, nil
}

func (m *memory) PasswordHash(_ context.Context, id sallyport.UserID) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.hashes[id]
	if !ok {
		return "", sallyport.ErrNotFound
	}
	return h, nil
}

func (m *memory) UpgradePasswordHash(_ context.Context, id sallyport.UserID, old, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hashes[id] != old {
		return sallyport.ErrConflict
	}
	m.hashes[id] = hash
	return nil
}

func (m *memory) add(t *testing.T, u sallyport.User, hash string) {
	t.Helper()
	for _, name := range []string{u.Name, u.Email} {
		if name == "" {
			continue
		}
		folded, err := sallyport.FoldName(name)
		if err != nil {
			t.Fatal(err)
		}
		m.users[folded] = u
	}
	if hash != "" {
		m.hashes[u.ID] = hash
	}
}

const goodPassword = "Tortoise-73-Lantern"

// cheap is the lowest cost there is, so that tests are quick.
func cheap() local.HashCost { return local.HashCost{Time: 1, MemoryMiB: 8} }

// company is a provider with alice (a@mail.example), bob, and carol, who has no
// local password.
func company(t *testing.T, cost local.HashCost) (*local.Provider, *memory) {
	t.Helper()
	m := &memory{users: map[string]sallyport.User{}, hashes: map[sallyport.UserID]string{}}
	p, err := local.New("local", "Staff", local.Config{Domains: []string{"CORP", "example.com"}, Hash: cost}, m)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := p.Hasher().Hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	m.add(t, sallyport.User{ID: "u-alice", Name: "Alice", Email: "A@mail.example", DisplayName: "Alice Ashford"}, hash)
	m.add(t, sallyport.User{ID: "u-bob", Name: "bob", Email: "carol@example.com"}, hash)
	m.add(t, sallyport.User{ID: "u-carol", Name: "carol"}, hash)
	m.add(t, sallyport.User{ID: "u-dora", Name: "dora"}, "")
	m.add(t, sallyport.User{ID: "u-tanaka", Name: "田中", Email: "tanaka@example.com"}, hash)
	return p, m
}

var errDisk = errors.New("disk on fire")
