package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func reflectIdentity() reflect.Type  { return reflect.TypeFor[Identity]() }
func reflectType(v any) reflect.Type { return reflect.TypeOf(v) }

func TestShowLoadsAgain(t *testing.T) {
	dir := folder(t)
	files := exampleFiles(t)
	texts := []string{
		good,
		replace(t, good, "  portal:", "  http: \"\"\n  admin: []\n  portal:") + "store: {grace: 0}\nui: {name: '$${X} \"1.0\"', support_text: \"a\\nb: c\"}\n",
	}
	for _, f := range files {
		texts = append(texts, string(mustRead(t, f)))
	}
	for _, text := range texts {
		c := mustLoad(t, dir, text)
		shown, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"oidc secret", "p: #x", "hunter2"} {
			if strings.Contains(string(shown), secret) {
				t.Errorf("a secret is shown:\n%s", shown)
			}
		}
		if c.Secrets.MasterKeyFile == "" {
			continue // a redacted master key is no key
		}
		again := mustLoad(t, dir, string(shown))
		shownAgain, err := again.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if string(shown) != string(shownAgain) {
			t.Errorf("shown:\n%s\nshown again:\n%s", shown, shownAgain)
		}
		if len(c.Identity) != 1 || c.Identity[0].OIDC == nil { // whose secret is redacted
			again.origin = c.origin
			if !reflect.DeepEqual(c, again) {
				t.Errorf("another configuration came back:\n%s", shown)
			}
		}
	}
}

func TestShowHasEveryDefault(t *testing.T) {
	shown, err := mustLoad(t, folder(t), good).YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"idle: 1h", "retention: 90d", "https: :443", `plain: ""`, "response_header: 1m25s", "min_version: \"1.2\"", "min_length: 8", "header_bytes: 65536", "issuer: Sallyport"} {
		if !strings.Contains(strings.ReplaceAll(string(shown), "'", `"`), want) {
			t.Errorf("%s is not shown:\n%s", want, shown)
		}
	}
}

func TestStarterIsGood(t *testing.T) {
	dir := folder(t)
	text := Starter(StarterValues{Portal: "login.example.com", Host: "app.example.com", Upstream: "http://127.0.0.1:8080"})
	c := mustLoad(t, dir, string(text))
	if c.Server.Portal != "login.example.com" || c.Routes[0].Hosts[0] != "app.example.com" {
		t.Errorf("%+v", c)
	}
	// What is commented out must be right as well.
	var lines []string
	for _, l := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimLeft(l, " ")
		body := strings.TrimPrefix(trimmed, "# ")
		indent := l[:len(l)-len(trimmed)]
		if indent != "" && body != trimmed && !strings.HasPrefix(body, "EDIT") {
			l = indent + body
		}
		lines = append(lines, l)
	}
	all := strings.Join(lines, "\n")
	write(t, filepath.Join(dir, "logo.svg"), []byte("<svg/>"), os.FileMode(0o600))
	mustLoad(t, dir, all)
	if strings.Count(all, "type: ldap") != 1 || strings.Contains(all, "# type: ldap") {
		t.Errorf("nothing was uncommented:\n%s", all)
	}
}
