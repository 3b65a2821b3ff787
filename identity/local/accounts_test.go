package local_test

import (
	"errors"
	"testing"

	"sallyport"
	"sallyport/identity"
)

// D6: gateways counted guesses by the text that was typed, so alice, ALICE,
// CORP\alice and a mail address gave four times the guesses, and Unicode forms
// any number. Every form is one Account, down to the last field.
func TestAllFormsAreOneAccountD6(t *testing.T) {
	p, _ := company(t, cheap())
	want := identity.Account{Issuer: "local", Subject: "u-alice", Login: "alice", Ref: "u-alice"}
	for _, typed := range []string{
		"alice", "ALICE", " Alice ", `CORP\alice`, `corp\ALICE`, "alice@example.com", "Alice@EXAMPLE.COM",
		"a@mail.example", "A@Mail.Example", "ａｌｉｃｅ", "ＡＬＩＣＥ＠ｅｘａｍｐｌｅ．ｃｏｍ", `ＣＯＲＰ＼alice`, "alice@example.com.",
	} {
		got, err := p.FindAccount(t.Context(), typed)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v", typed, got, err)
		}
		if id, err := p.CheckPassword(t.Context(), got, goodPassword); err != nil || id.Subject != "u-alice" {
			t.Errorf("%q signs in as %+v, %v", typed, id, err)
		}
	}
	for _, typed := range []string{"田中", `CORP\田中`, "田中@example.com", "tanaka@example.com"} {
		if got, err := p.FindAccount(t.Context(), typed); err != nil || got.Subject != "u-tanaka" || got.Login != "田中" {
			t.Errorf("%q is %+v, %v", typed, got, err)
		}
	}
	nobody := identity.Account{Issuer: "local", Login: "mallory"}
	for _, typed := range []string{"mallory", "MALLORY", `CORP\mallory`, "mallory@example.com", "ｍａｌｌｏｒｙ"} {
		if got, err := p.FindAccount(t.Context(), typed); err != nil || got != nobody {
			t.Errorf("%q is %+v, %v", typed, got, err)
		}
	}
}

// carol@example.com is carol by her domain and bob by his address. Whoever is
// meant, one of the two could be signed in by the other's form; so it is nobody.
func TestNameOfTwoPeopleIsNobody(t *testing.T) {
	p, _ := company(t, cheap())
	got, err := p.FindAccount(t.Context(), "carol@example.com")
	if err != nil || got.Known() {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := p.FindAccount(t.Context(), "carol"); err != nil || got.Subject != "u-carol" {
		t.Errorf("her plain name: %+v, %v", got, err)
	}
}

func TestUserWithoutLocalPasswordIsNotKnown(t *testing.T) {
	p, _ := company(t, cheap())
	got, err := p.FindAccount(t.Context(), "dora")
	if err != nil || got.Known() {
		t.Fatalf("%+v, %v", got, err)
	}
	forged := identity.Account{Issuer: "local", Subject: "u-dora", Login: "dora", Ref: "u-dora"}
	if id, err := p.CheckPassword(t.Context(), forged, goodPassword); !errors.Is(err, identity.ErrWrongPassword) {
		t.Errorf("signed in without a password: %+v, %v", id, err)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	p, _ := company(t, cheap())
	for _, typed := range []string{"", "  ", "a b", "alice\x00", "ali\nce", "ali\u200bce", "\xff", string(make([]byte, 300))} {
		if got, err := p.FindAccount(t.Context(), typed); !errors.Is(err, sallyport.ErrBadName) {
			t.Errorf("%q: %+v, %v", typed, got, err)
		}
	}
}

func TestRenamedMeanwhile(t *testing.T) {
	p, m := company(t, cheap())
	account, err := p.FindAccount(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	m.users["alice"] = m.users["bob"] // the name went to somebody else in between
	if id, err := p.CheckPassword(t.Context(), account, goodPassword); !errors.Is(err, identity.ErrWrongPassword) {
		t.Errorf("signed in as %+v, %v", id, err)
	}
}

func TestStoreAwayIsUnavailable(t *testing.T) {
	p, m := company(t, cheap())
	account, err := p.FindAccount(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	m.down = errDisk
	if _, err := p.FindAccount(t.Context(), "alice"); !errors.Is(err, sallyport.ErrUnavailable) || !errors.Is(err, errDisk) {
		t.Errorf("FindAccount: %v", err)
	}
	if _, err := p.CheckPassword(t.Context(), account, goodPassword); !errors.Is(err, sallyport.ErrUnavailable) {
		t.Errorf("CheckPassword: %v", err)
	}
}
