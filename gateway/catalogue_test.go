package gateway_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport"
	"sallyport/sallyporttest"
)

const french = `
[web]
language = "Français"
skip = "Aller au contenu"
[challenge.sign_in]
username = "Nom d’utilisateur"
[challenge.code.left]
other = "encore {{.Count}} essais"
[error.SP-1001]
title = "Connexion refusée"
`

// MFA.md 15: an admin adds a language by a catalogue file. It is offered, chosen
// and kept like the built-in ones; what it lacks is English; a change of it is in
// force without a restart, and a faulty one changes nothing.
func TestAddedLanguage(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "fr.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(french)
	g := sallyporttest.New(t, sallyporttest.Options{Dir: dir, Extra: "ui: {catalogues: [fr.toml]}\n",
		MFA: "  default_state: disabled\n  lockout: {denials: 2}\n"})
	g.AddUser("alice", password, sallyport.StateEnforced)
	app := g.URL(sallyporttest.App, "/")
	b := g.Browser()
	b.Header.Set("Accept-Language", "fr-CA, en;q=0.5")
	p := b.Get(app)
	for _, want := range []string{`<html lang="fr"`, "Nom d’utilisateur", "Password", `aria-current="true">Français</span>`, ">English</a>", ">日本語</a>"} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("%q is not in\n%s", want, p.Body)
		}
	}
	// A plural without the form for 1 does with the one that there is.
	g.Browser().SignIn(app, "alice", password).Register()
	wrong := b.SignIn(app, "alice", password).Form("code").Submit("code", "000000")
	if !strings.Contains(wrong.Text(), "encore 1 essais") {
		t.Errorf("not in French, or not there:\n%s", wrong.Text())
	}
	// Chosen once, it is the last choice.
	other := g.Browser()
	other.Get(g.URL(sallyporttest.Portal, "/.sallyport/sign-in?lng=fr"))
	if p := other.Get(g.URL(sallyporttest.Portal, "/.sallyport/sign-in")); !strings.Contains(p.Body, `<html lang="fr"`) {
		t.Errorf("the choice is not kept:\n%s", p.Text())
	}

	write(strings.Replace(french, "Nom d’utilisateur", "Identifiant", 1))
	sallyporttest.Eventually(t, 5*time.Second, "the changed catalogue is in force", func() bool {
		return strings.Contains(b.Get(g.URL(sallyporttest.Portal, "/.sallyport/sign-in")).Body, "Identifiant")
	})
	if log := g.Logged(); !strings.Contains(log, "which pages show in English") || !strings.Contains(log, "challenge.sign_in.password, ") {
		t.Error("the log does not list what the catalogue lacks")
	}
	write(strings.Replace(french, "username", "user_name", 1))
	sallyporttest.Eventually(t, 5*time.Second, "the fault is told", func() bool {
		return strings.Contains(g.Logged(), "did you mean `challenge.sign_in.username`")
	})
	if p := b.Get(g.URL(sallyporttest.Portal, "/.sallyport/sign-in")); !strings.Contains(p.Body, "Identifiant") {
		t.Errorf("a faulty catalogue took the good one away:\n%s", p.Text())
	}
}
