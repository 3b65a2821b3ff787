package proxy

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sallyport"
)

// A6: a display name in the directory with a line break became a header of its
// own upstream; names in other scripts arrived in whatever encoding came along.
func TestA6ValuesFromADirectory(t *testing.T) {
	bothWays(t, func(t *testing.T, way func([]Route) []Route) {
		f := newFixture(t, way(identityRoutes()))
		f.grantFor("alice", func(g *sallyport.Grant) {
			g.User.DisplayName = "Eve\r\nX-Sallyport-Groups: local:admins\x00"
			g.User.Name = "山田"
			g.Session.Groups = []string{"local:a,local:admins", "local:x\ny"}
		})
		if res := f.do("GET", "/", "alice"); res.StatusCode != 200 {
			t.Fatalf("status %d", res.StatusCode)
		}
		h := f.one().header
		for name, want := range map[string]string{
			"X-Sallyport-Name":   "Eve  X-Sallyport-Groups: local:admins",
			"X-Sallyport-User":   "%E5%B1%B1%E7%94%B0",
			"X-Sallyport-Groups": "local:a%2Clocal:admins,local:x y",
		} {
			if got := h[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
	})
}

func TestA6EveryValueIsPlainAndComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.String().Draw(t, "value")
		out := headerValue(in, ",")
		for i := 0; i < len(out); i++ {
			if out[i] < ' ' || out[i] > '~' || out[i] == ',' {
				t.Fatalf("%q became %q", in, out)
			}
		}
		back, err := url.PathUnescape(out)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Trim(strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, in), " ")
		if utf8.ValidString(in) && back != want {
			t.Fatalf("%q became %q and came back as %q", in, out, back)
		}
	})
}

func TestA6NotUTF8(t *testing.T) {
	if got := headerValue("a\xffb", ""); got != "a%EF%BF%BDb" {
		t.Errorf("got %q", got)
	}
}
