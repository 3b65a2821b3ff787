package store_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"sallyport"
	"sallyport/audit"
	"sallyport/store"
	"sallyport/store/storetest"
)

func event() audit.Event { return audit.New(storetest.Start, audit.SignOut, audit.Success) }

// raw runs SQL on the file behind the store's back.
func raw(t *testing.T, file, q string, args ...any) error {
	t.Helper()
	pool, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, err = pool.ExecContext(context.Background(), q, args...)
	return err
}

// must demands no error, or one of that kind.
func must(t testing.TB, err error, kind ...error) {
	t.Helper()
	switch {
	case len(kind) > 0 && !errors.Is(err, kind[0]):
		t.Fatalf("got error %v, want %v", err, kind[0])
	case len(kind) == 0 && err != nil:
		t.Fatal(err)
	}
}

// alice creates a user with a session and returns both, and the portal's token.
func alice(t testing.TB, db *store.DB, clock *storetest.Clock) (sallyport.User, sallyport.Session, sallyport.HostToken) {
	t.Helper()
	u := sallyport.User{ID: sallyport.UserID(sallyport.NewID()), Name: "alice", State: sallyport.StateEnforced, CreatedAt: clock.Now()}
	must(t, db.CreateUser(t.Context(), u, nil))
	s, k := storetest.NewSession(u.ID, clock.Now())
	must(t, db.CreateSession(t.Context(), s, k))
	return u, s, k
}
