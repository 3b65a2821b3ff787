package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/seal"
	"sallyport/store"
	"sallyport/store/storetest"
)

// childEnv makes this test binary a second process on the database it names.
const childEnv = "SALLYPORT_TEST_CHILD"

func TestMain(m *testing.M) {
	if file := os.Getenv(childEnv); file != "" {
		if err := child(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var processRule = sallyport.Lockout{Denials: 10, ResetAfter: time.Hour, LockFor: time.Hour, LockMax: time.Hour}

// guess charges n guesses and returns how many would have been judged.
func guess(ctx context.Context, db *store.DB, n int) (judged int, err error) {
	for range n {
		s, err := db.ChargeAttempt(ctx, sallyport.Attempt{Subject: "alice", Kind: sallyport.AttemptPassword,
			Lane: sallyport.LaneOther, At: storetest.Start, Rule: processRule})
		if err != nil {
			return 0, err
		}
		if !s.Locked {
			judged++
		}
	}
	return judged, nil
}

// child does what a command or a second gateway does: it starts, possibly makes
// the database, writes, and prints how many guesses it got.
func child(file string) error {
	ctx := context.Background()
	keys, err := seal.New([]byte(strings.Repeat("\x07", seal.KeySize)))
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{SQLite: file}, store.Options{Keys: keys, Create: true})
	if err != nil {
		return err
	}
	for range 20 {
		if err := db.AppendEvents(ctx, event()); err != nil {
			return err
		}
	}
	judged, err := guess(ctx, db, 20)
	if err != nil {
		return err
	}
	users, err := db.Users(ctx, "", 0)
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := db.RevokeUser(ctx, u.ID, storetest.Start); err != nil {
			return err
		}
	}
	fmt.Println(judged)
	return db.Close()
}

const children = 4

// runChildren runs several processes on a database at the same time and checks
// that the guesses of all count as one person's.
func runChildren(t *testing.T, file string) {
	t.Helper()
	var cmds [children]*exec.Cmd
	var out, errs [children]strings.Builder
	for i := range cmds {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), childEnv+"="+file)
		c.Stdout, c.Stderr = &out[i], &errs[i]
		must(t, c.Start())
		cmds[i] = c
	}
	judged := 0
	for i, c := range cmds {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, errs[i].String())
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(out[i].String()))
		must(t, err)
		judged += n
	}
	if judged != processRule.Denials {
		t.Errorf("%d guesses were judged, want %d", judged, processRule.Denials)
	}
}

// Several processes start on a database that is not there yet, and work at the
// same time: one makes it, the chain does not fork, and guesses count as one.
func TestProcesses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sallyport.db")
	runChildren(t, file)
	db := storetest.Open(t, file, nil)
	must(t, db.VerifyChain(t.Context()))
	events, err := db.Events(t.Context(), audit.Filter{})
	must(t, err)
	if len(events) != children*20 {
		t.Errorf("%d events, want %d", len(events), children*20)
	}
	if entries, _ := filepath.Glob(file + ".*"); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// D7: of several nodes that start on a restored backup, one forgets, once: what
// was granted after that stays.
func TestProcessesOnRestoredBackup(t *testing.T) {
	file := backup(t, storetest.New(t, nil))
	runChildren(t, file)
	db := storetest.Open(t, file, nil)
	must(t, db.VerifyChain(t.Context()))
	events, err := db.Events(t.Context(), audit.Filter{Kind: audit.BackupRestored})
	must(t, err)
	if len(events) != 1 {
		t.Errorf("the backup was taken into service %d times", len(events))
	}
}

// E5: what a command does beside the gateway, the gateway sees.
func TestChangesOfAnotherProcess(t *testing.T) {
	file, clock := storetest.NewFile(t), storetest.NewClock()
	db := storetest.Open(t, file, clock.Now)
	_, _, k := alice(t, db, clock)
	_, seq, err := db.Changes(t.Context(), 0)
	must(t, err)

	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childEnv+"="+file)
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	changes, _, err := db.Changes(t.Context(), seq)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != sallyport.ChangeUser {
		t.Fatalf("changes are %v", changes)
	}
	_, err = db.Grant(t.Context(), k.Hash, clock.Now())
	must(t, err, sallyport.ErrNotFound)
}
