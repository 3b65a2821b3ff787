package store_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"sallyport"
	"sallyport/audit"
	"sallyport/internal/seal"
	"sallyport/store"
	"sallyport/store/storetest"
)

// chain makes a database with ten events, closed.
func chain(t *testing.T) string {
	t.Helper()
	file := storetest.NewFile(t)
	db := storetest.Open(t, file, nil)
	for range 10 {
		must(t, db.AppendEvents(t.Context(), event()))
	}
	must(t, db.Close())
	return file
}

// Whoever can write the file can drop triggers too; the chain tells.
func TestVerifyChainFindsTampering(t *testing.T) {
	const open = `DROP TRIGGER audit_events_update; DROP TRIGGER audit_events_delete; DROP TRIGGER audit_events_insert;
		DROP TRIGGER audit_chain_update; DROP TRIGGER audit_chain_delete;`
	for name, tamper := range map[string]string{
		"content":        `UPDATE audit_events SET payload = replace(payload, 'success', 'failure') WHERE seq = 5`,
		"hash":           `UPDATE audit_events SET hash = zeroblob(32) WHERE seq = 10`,
		"time":           `UPDATE audit_events SET time = time + 1 WHERE seq = 5`,
		"middle removed": `DELETE FROM audit_events WHERE seq = 5`,
		"tail removed":   `DELETE FROM audit_events WHERE seq = 10`,
		"head removed":   `DELETE FROM audit_events WHERE seq = 1`,
		"all removed":    `DELETE FROM audit_events`,
		"ends removed":   `DELETE FROM audit_chain`,
		"tail removed, end moved": `DELETE FROM audit_events WHERE seq = 10;
			UPDATE audit_chain SET last_seq = 9, last_hash = (SELECT hash FROM audit_events WHERE seq = 9)`,
		"head removed, beginning moved": `UPDATE audit_chain SET first_seq = 3, first_prev = (SELECT hash FROM audit_events WHERE seq = 2);
			DELETE FROM audit_events WHERE seq < 3`,
		"all forgotten": `DELETE FROM audit_events;
			UPDATE audit_chain SET first_seq = 1, first_prev = zeroblob(32), last_seq = 0, last_hash = zeroblob(32)`,
		"two exchanged": `UPDATE audit_events SET seq = 100 WHERE seq = 5; UPDATE audit_events SET seq = 5 WHERE seq = 6;
			UPDATE audit_events SET seq = 6 WHERE seq = 100`,
	} {
		t.Run(name, func(t *testing.T) {
			file := chain(t)
			must(t, raw(t, file, open+tamper))
			db, err := openAt(t, file, false)
			must(t, err)
			must(t, db.VerifyChain(t.Context()), store.ErrChain)
			if strings.Contains(name, "ends removed") {
				return // nothing can be appended any more
			}
			// What follows hides nothing.
			must(t, db.AppendEvents(t.Context(), event()))
			must(t, db.VerifyChain(t.Context()), store.ErrChain)
		})
	}
}

// A whole chain that somebody computed anew lacks the master key.
func TestVerifyChainNeedsTheMasterKey(t *testing.T) {
	file := chain(t)
	keys, err := seal.New(bytes.Repeat([]byte{1}, seal.KeySize))
	must(t, err)
	db, err := store.Open(t.Context(), store.Config{SQLite: file}, store.Options{Keys: keys})
	must(t, err)
	defer db.Close()
	must(t, db.VerifyChain(t.Context()), store.ErrChain)
}

func TestAuditLogIsAppendOnly(t *testing.T) {
	file := chain(t)
	for _, q := range []string{
		`UPDATE audit_events SET payload = '{}'`,
		`DELETE FROM audit_events`,
		`DELETE FROM audit_events WHERE seq = 10`,
		`INSERT OR REPLACE INTO audit_events (seq, time, prev, hash, payload) VALUES (5, 0, x'', x'', '{}')`,
		`UPDATE audit_chain SET last_seq = 3`,
		`UPDATE audit_chain SET first_seq = 0`,
		`UPDATE audit_chain SET first_seq = 12`,
		`DELETE FROM audit_chain`,
		`INSERT OR REPLACE INTO audit_chain VALUES (1, 1, zeroblob(32), 0, zeroblob(32), x'')`,
	} {
		if err := raw(t, file, q); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", q, err)
		}
	}
	db, err := openAt(t, file, false)
	must(t, err)
	must(t, db.VerifyChain(t.Context()))
}

// A change whose event cannot be written does not happen, and no sink hears of
// it.
func TestNoChangeWithoutItsEvent(t *testing.T) {
	file, clock, sink := storetest.NewFile(t), storetest.NewClock(), &storetest.Recorder{}
	db := storetest.Open(t, file, clock.Now, sink)
	u, s, k := alice(t, db, clock)
	f := storetest.NewFlow(u.ID, clock.Now())
	must(t, db.CreateFlow(t.Context(), f))
	must(t, raw(t, file, `CREATE TRIGGER broken BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'disk full'); END`))
	ctx := t.Context()
	for name, op := range map[string]func() error{
		"revoke session": func() error { return db.RevokeSession(ctx, s.ID, clock.Now(), event()) },
		"revoke user":    func() error { return db.RevokeUser(ctx, u.ID, clock.Now(), event()) },
		"set password":   func() error { return db.SetPassword(ctx, u.ID, "x", clock.Now(), event()) },
		"delete user":    func() error { return db.DeleteUser(ctx, u.ID, event()) },
		"finish flow":    func() error { return db.FinishFlow(ctx, f, event()) },
		"save flow":      func() error { return db.SaveFlow(ctx, f, event()) },
		"rotate token": func() error {
			return db.RotateToken(ctx, k.Hash, storetest.NewHostToken(s, k.Host, clock.Now()), event())
		},
		"change user": func() error {
			_, err := db.ChangeUser(ctx, u.ID, func(u *sallyport.User) ([]audit.Event, error) {
				u.State = sallyport.StateDisabled
				return []audit.Event{event()}, nil
			})
			return err
		},
	} {
		if err := op(); !errors.Is(err, sallyport.ErrUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	g, err := db.Grant(ctx, k.Hash, clock.Now())
	must(t, err)
	if g.User.State != sallyport.StateEnforced {
		t.Error("the user was changed")
	}
	_, err = db.PasswordHash(ctx, u.ID)
	must(t, err, sallyport.ErrNotFound)
	if f.Version != 1 {
		t.Errorf("the flow in hand says version %d", f.Version)
	}
	must(t, raw(t, file, `DROP TRIGGER broken`))
	must(t, db.FinishFlow(context.WithoutCancel(ctx), f))
	if n := len(sink.Events()); n != 0 {
		t.Errorf("a sink heard of %d events that are not in the log", n)
	}
}

// MFA.md 10.1: an event says which node wrote it, by name and address; one that
// was written for another node is not given this one's address.
func TestEventsNameTheNode(t *testing.T) {
	db := storetest.New(t, nil)
	other := event()
	other.Node = "elsewhere"
	must(t, db.AppendEvents(t.Context(), event(), other))
	events, err := db.Events(t.Context(), audit.Filter{})
	must(t, err)
	if e := events[0]; e.Node != "elsewhere" || e.NodeAddress.IsValid() {
		t.Errorf("another node's event is of %s at %s", e.Node, e.NodeAddress)
	}
	mine := map[netip.Addr]bool{}
	addrs, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			mine[p.Addr()] = true
		}
	}
	if e := events[1]; e.Node != "test" || e.NodeAddress.IsValid() != (len(mine) > 0) || len(mine) > 0 && !mine[e.NodeAddress] {
		t.Errorf("the event is of %s at %s; this machine has %v", e.Node, e.NodeAddress, mine)
	}
}
