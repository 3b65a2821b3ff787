package store_test

import (
	"fmt"
	"testing"

	"sallyport"
	"sallyport/store"
	"sallyport/store/storetest"
)

// populated returns a store with n users, each with a session, and the token of
// the last.
func populated(b *testing.B, n int) (*store.DB, *storetest.Clock, sallyport.HostToken) {
	b.Helper()
	clock := storetest.NewClock()
	db := storetest.New(b, clock.Now)
	var token sallyport.HostToken
	for i := range n {
		u := sallyport.User{ID: sallyport.UserID(sallyport.NewID()), Name: fmt.Sprint("user", i), State: sallyport.StateEnforced}
		must(b, db.CreateUser(b.Context(), u, nil))
		s, k := storetest.NewSession(u.ID, clock.Now())
		must(b, db.CreateSession(b.Context(), s, k))
		token = k
	}
	return db, clock, token
}

func BenchmarkGrant(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			db, clock, k := populated(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := db.Grant(b.Context(), k.Hash, clock.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGrantParallel(b *testing.B) {
	db, clock, k := populated(b, 10)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := db.Grant(b.Context(), k.Hash, clock.Now()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkChargeAttempt(b *testing.B) {
	db, clock, _ := populated(b, 1)
	rule := processRule
	rule.Denials = 1 << 30
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.ChargeAttempt(b.Context(), sallyport.Attempt{Subject: "alice", Kind: sallyport.AttemptPassword,
			Lane: sallyport.LaneOther, At: clock.Now(), Rule: rule}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChangesIdle is the poll of every node, twice a second.
func BenchmarkChangesIdle(b *testing.B) {
	db, _, _ := populated(b, 1)
	_, seq, err := db.Changes(b.Context(), 0)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := db.Changes(b.Context(), seq); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	db, _, _ := populated(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := db.AppendEvents(b.Context(), event()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	file := storetest.NewFile(b)
	for b.Loop() {
		db, err := store.Open(b.Context(), store.Config{SQLite: file}, store.Options{Keys: storetest.Keys(b), Create: true})
		if err != nil {
			b.Fatal(err)
		}
		must(b, db.Close())
	}
}
