package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

const plain = "hunter2"

// H4: a log call printed a whole structure with its secrets. Whatever prints a
// secret prints that there is one.
func TestSecretsArePrintedNowhere(t *testing.T) {
	type config struct {
		Password String  `json:"password"`
		Pointer  *String `json:"pointer"`
		List     []String
		hidden   String
	}
	s := New(plain)
	c := config{Password: s, Pointer: &s, List: []String{s}, hidden: s}
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, format+"\n", s)
		fmt.Fprintf(&out, format+"\n", c)
		fmt.Fprintf(&out, format+"\n", &c)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("x", "secret", s, "config", c, "pointer", &c)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	fmt.Fprintln(&out, fmt.Errorf("failed with %v", s))
	for _, form := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprintf("%d", []byte(plain))} {
		if i := strings.Index(out.String(), form); i >= 0 {
			t.Errorf("the secret shows as %q in …%s", form, out.String()[max(0, i-60):i+len(form)])
		}
	}
	if !strings.Contains(string(b), redacted) {
		t.Errorf("JSON does not say that there is a secret: %s", b)
	}
}

func TestSecretIsKept(t *testing.T) {
	var s String
	if !s.Empty() || !s.IsZero() || s.Reveal() != "" || s.String() != "" {
		t.Error("the zero value is no empty secret")
	}
	if err := s.UnmarshalText([]byte(plain)); err != nil || s.Reveal() != plain || s.Empty() || s.IsZero() {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
	if !reflect.DeepEqual(New(plain), s) || reflect.DeepEqual(New("other"), s) || New("") != (String{}) {
		t.Error("equality")
	}
}
