package main

import (
	"strings"
	"testing"
	"time"

	"sallyport/audit"
	"sallyport/store/storetest"
)

// A limit above what the store answers at once is kept to, and the end of the log
// is told from the end of the list.
func TestLatestReadsOn(t *testing.T) {
	db := storetest.New(t, nil)
	const all = 10_050 // one answer of the store has at most 10,000
	events := make([]audit.Event, all)
	for i := range events {
		events[i] = audit.New(storetest.Start, audit.SignOut, audit.Success)
	}
	if err := db.AppendEvents(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int]int{1: 1, 10_000: 10_000, 10_020: 10_020, all - 1: all - 1, all: all, all + 1: all, 1_000_000: all} {
		got, more, err := latest(t.Context(), db, audit.Filter{}, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != want || more != (limit < all) {
			t.Errorf("limit %d: %d events, more %v", limit, len(got), more)
		}
		for i, ev := range got {
			if ev.Seq != int64(all-i) {
				t.Fatalf("limit %d: event %d stands at place %d", limit, ev.Seq, i)
			}
		}
	}
}

// H5: what a stranger typed or sent as a user agent does not reach the terminal of
// the admin who reads it, in JSON as little as in the table.
func TestJSONOnATerminal(t *testing.T) {
	ev := audit.New(time.Now(), audit.SignInPassword, audit.Failure)
	ev.UserName, ev.UserAgent = "a\u202eb\u009b2J<&", "\x1b]0;x\a"
	var out output
	if err := printJSON(&cli{Stdout: &out}, ev); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.ContainsAny(s, "\u202e\u009b\x1b\a") || !strings.Contains(s, `a\u202eb\u009b2J<&`) || strings.Count(s, "\n") != 1 {
		t.Errorf("printed %q", s)
	}
}
