package ldap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"

	"sallyport"
	"sallyport/identity"
)

// G4: an answer without end must cost neither memory nor time.
func TestEndlessAnswersG4(t *testing.T) {
	for name, raw := range map[string]func(c net.Conn, id int64){
		"entries without end": func(c net.Conn, id int64) {
			e := alice()
			for i := 0; i < 1<<20; i++ {
				e.dn = fmt.Sprintf("CN=%d,%s", i, fakeBase)
				p := ber.NewSequence("")
				p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
				p.AppendChild(e.packet())
				if _, err := c.Write(p.Bytes()); err != nil {
					return
				}
			}
		},
		"referrals without end": func(c net.Conn, id int64) {
			ref := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 19, nil, "")
			ref.AppendChild(octets("ldap://evil.example/" + strings.Repeat("x", 1000)))
			p := ber.NewSequence("")
			p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
			p.AppendChild(ref)
			for range 1 << 20 {
				if _, err := c.Write(p.Bytes()); err != nil {
					return
				}
			}
		},
		"one value of 2 GiB": func(c net.Conn, _ int64) {
			_, _ = c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xf0, 0x04, 0x84, 0x7f, 0xff, 0xff, 0x00})
			block := make([]byte, 1<<20)
			for range 2048 {
				if _, err := c.Write(block); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			d.raw = func(c net.Conn, id int64, _ request) bool { raw(c, id); return true }
			p := open(t, d.settings())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			account, err := p.FindAccount(t.Context(), "alice")
			runtime.ReadMemStats(&after)
			if name == "entries without end" { // two are already one too many
				if err != nil || account.Known() {
					t.Errorf("%+v, %v", account, err)
				}
			} else if !errors.Is(err, sallyport.ErrUnavailable) {
				t.Errorf("%+v, %v", account, err)
			}
			if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; grown > 200 {
				t.Errorf("%d MiB were allocated", grown)
			}
		})
	}
}

func TestGarbageAnswers(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"HTTP":         []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"zeros":        make([]byte, 64),
		"nested":       bytes.Repeat([]byte{0x30, 0x80}, 5000),
		"empty":        {0x30, 0x00},
		"no operation": {0x30, 0x03, 0x02, 0x01, 0x02},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			d.raw = func(c net.Conn, _ int64, _ request) bool { _, _ = c.Write(bytes); c.Close(); return true }
			p := open(t, d.settings())
			if account, err := p.FindAccount(t.Context(), "alice"); !errors.Is(err, sallyport.ErrUnavailable) {
				t.Errorf("%+v, %v", account, err)
			}
			if err := p.Probe(t.Context()); !errors.Is(err, sallyport.ErrUnavailable) {
				t.Errorf("probe: %v", err)
			}
		})
	}
}

// A server that takes requests and never answers holds nobody longer than the
// time-out, and no longer than the request lives.
func TestSilentServer(t *testing.T) {
	d := newDirectory(t)
	d.raw = func(net.Conn, int64, request) bool { return true }
	cfg := d.settings()
	cfg.Timeout = 200 * time.Millisecond
	p := open(t, cfg)
	began := time.Now()
	if _, err := p.FindAccount(t.Context(), "alice"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("search: %v", err)
	}
	account := identity.Account{Issuer: fakeBase, Subject: "x", Login: "alice", Ref: fakeAlice}
	if _, err := p.CheckPassword(t.Context(), account, "secret"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("bind: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}

	cfg.Timeout = time.Minute
	patient := open(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began = time.Now()
	if _, err := patient.FindAccount(ctx, "alice"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("with a context that ends: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Referrals are not followed, neither instead of an answer nor among entries.
func TestReferralsAreNotFollowed(t *testing.T) {
	trap, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trap.Close() })
	called := make(chan struct{}, 8)
	go func() {
		for {
			c, err := trap.Accept()
			if err != nil {
				return
			}
			called <- struct{}{}
			c.Close()
		}
	}()
	d := newDirectory(t)
	d.bind = func(string, string) result { return result{10, "ldap://" + trap.Addr().String() + "/" + fakeAlice} }
	if id, err := signIn(t, open(t, d.settings()), "alice", "secret"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("%+v, %v", id, err)
	}
	d2 := newDirectory(t)
	d2.raw = func(c net.Conn, id int64, r request) bool {
		ref := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 19, nil, "")
		ref.AppendChild(octets("ldap://" + trap.Addr().String() + "/" + fakeAlice))
		write(c, id, ref)
		return false
	}
	account, err := open(t, d2.settings()).FindAccount(t.Context(), "mallory")
	if err != nil || account.Known() {
		t.Errorf("%+v, %v", account, err)
	}
	if len(called) != 0 {
		t.Error("a referral was followed")
	}
}

// H2: directories with slow hashes refuse unknown names at once. What a wrong
// password of a real person takes, an unknown name takes too.
func TestSlowHashesH2(t *testing.T) {
	const slow = 120 * time.Millisecond
	d := newDirectory(t)
	d.bind = func(dn, _ string) result {
		if dn == fakeAlice {
			timer := time.NewTimer(slow)
			<-timer.C
		}
		return result{49, ""}
	}
	p := open(t, d.settings())
	if _, err := signIn(t, p, "alice", "wrong"); !errors.Is(err, identity.ErrWrongPassword) {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := signIn(t, p, "mallory", "wrong"); !errors.Is(err, identity.ErrWrongPassword) {
		t.Fatal(err)
	}
	if took := time.Since(began); took < slow*9/10 {
		t.Errorf("somebody unknown took %s, a real person %s", took, slow)
	}
}

// Idle connections that were closed by the other side are replaced without the
// person noticing; a closed provider answers that it is unavailable.
func TestStaleConnectionsAndClose(t *testing.T) {
	d := newDirectory(t)
	p := open(t, d.settings())
	for range 3 {
		if a, err := p.FindAccount(t.Context(), "alice"); err != nil || !a.Known() {
			t.Fatalf("%+v, %v", a, err)
		}
		d.hangUp()
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.FindAccount(t.Context(), "alice"); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

// H4: no password reaches a log or an error, at any level.
func TestNothingSecretIsLoggedH4(t *testing.T) {
	var log output
	const typed = "typed-secret-5150"
	var all strings.Builder
	for code := range 90 {
		d := newDirectory(t)
		d.bind = func(string, string) result { return result{code, adText("775")} }
		p := open(t, d.settings(), withLog(&log))
		_, err := signIn(t, p, "alice", typed)
		fmt.Fprintln(&all, err)
	}
	silent := newDirectory(t)
	silent.raw = func(c net.Conn, _ int64, _ request) bool { c.Close(); return true }
	_, err := signIn(t, open(t, silent.settings(), withLog(&log)), "alice", typed)
	fmt.Fprintln(&all, err)
	if log.String() == "" || !strings.Contains(all.String(), "unavailable") {
		t.Error("nothing was logged at all")
	}
	for _, hidden := range []string{typed, "svc-secret"} {
		if strings.Contains(all.String()+log.String(), hidden) {
			t.Errorf("%q is in the log:\n%s%s", hidden, all.String(), log.String())
		}
	}
}
