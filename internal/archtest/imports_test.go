package archtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// longestChain is how many packages may stand in a row of imports, the command
// and the root counted.
const longestChain = 8

// rule is a row of the package map in the design. It covers the package and all
// below it, which may import one another.
type rule struct {
	pkg string
	may []string // "all" means every package but commands
}

const everything = "all"

// packageMap says who may import whom. A package without a row is a failure, so
// a new one is a decision and not an accident.
func packageMap() []rule {
	return []rule{
		{".", nil},
		{"cmd", []string{everything}},
		{"gateway", []string{everything}},
		{"config", []string{everything}},
		{"proxy", []string{".", "policy", "audit", "internal"}},
		{"relay", []string{".", "identity", "audit", "internal"}},
		{"policy", []string{"."}},
		{"challenge", []string{".", "policy", "identity", "session", "audit", "notify", "web", "internal"}},
		{"account", []string{".", "policy", "challenge", "identity", "session", "audit", "notify", "web", "internal"}},
		{"identity", []string{".", "internal"}},
		{"session", []string{".", "audit", "internal"}},
		{"notify", []string{".", "internal"}},
		{"store", []string{".", "audit", "internal"}},
		{"audit", []string{"."}},
		{"admin", []string{".", "policy", "session", "audit", "web", "internal"}},
		{"web", []string{".", "internal"}},
		{"sallyporttest", []string{everything}},
		{"examples", []string{everything}},
		{"docs", nil},
		// Each package below internal is on its own: the root and no other.
		{"internal/archtest", nil},
		{"internal/parts", nil},
		{"internal", []string{"."}},
	}
}

// configUsers are the only ones that know the routing file.
var configUsers = []string{"cmd", "gateway", "sallyporttest", "examples", "config"}

// ruleFor finds the row with the longest matching path.
func ruleFor(name string) (rule, bool) {
	var best rule
	found := false
	for _, r := range packageMap() {
		if within(name, r.pkg) && (!found || len(r.pkg) > len(best.pkg)) {
			best, found = r, true
		}
	}
	return best, found
}

// within tells whether a package is group or below it. The root has no "below":
// every other package needs a row of its own.
func within(name, group string) bool {
	return name == group || group != "." && strings.HasPrefix(name, group+"/")
}

// top returns what counts as one unit: the first element, below internal two.
func top(name string) string {
	parts := strings.SplitN(name, "/", 3)
	if parts[0] == "internal" && len(parts) > 1 {
		return "internal/" + parts[1]
	}
	return parts[0]
}

// forbidden says why from may not import to, or "".
func forbidden(from, to string) string {
	r, known := ruleFor(from)
	switch {
	case !known:
		return "the package is not in the package map of the design"
	case within(to, "cmd"):
		return "nobody imports a command"
	case top(from) == top(to):
		return ""
	case within(to, "config") && !slices.Contains(configUsers, top(from)):
		return "only " + strings.Join(configUsers[:4], ", ") + " import config"
	case forTests(to) && !forTests(from):
		return "a package for tests"
	case slices.Contains(r.may, everything):
		return ""
	}
	for _, group := range r.may {
		if within(to, group) {
			return ""
		}
	}
	return "it may import only: " + strings.Join(r.may, ", ")
}

func TestImportRules(t *testing.T) {
	for name, p := range load(t, "../..") {
		if _, known := ruleFor(name); !known {
			t.Errorf("%s: the package is not in the package map of the design", name)
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, to := range f.imports() {
				if why := forbidden(name, to); why != "" {
					t.Errorf("%s imports %s: %s", f.name, to, why)
				}
			}
		}
	}
}

func TestLongestImportChain(t *testing.T) {
	graph := map[string][]string{}
	for name, p := range production(load(t, "../..")) {
		graph[name] = nil
		for _, f := range p.files {
			graph[name] = append(graph[name], f.imports()...)
		}
	}
	if chain := longest(graph); len(chain) > longestChain {
		t.Errorf("a chain of %d packages, at most %d: %s", len(chain), longestChain, strings.Join(chain, " > "))
	}
}

// longest returns the longest row of packages of which each imports the next.
func longest(graph map[string][]string) []string {
	memo := map[string][]string{}
	var from func(name string) []string
	from = func(name string) []string {
		if chain, done := memo[name]; done {
			return chain
		}
		memo[name] = []string{name} // a cycle would not compile; do not hang on it
		var best []string
		for _, next := range graph[name] {
			if chain := from(next); len(chain) > len(best) {
				best = chain
			}
		}
		memo[name] = append([]string{name}, best...)
		return memo[name]
	}
	var best []string
	for _, name := range slices.Sorted(maps.Keys(graph)) {
		if chain := from(name); len(chain) > len(best) {
			best = chain
		}
	}
	return best
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"proxy", ".", true},
		{"proxy", "proxy/upstream", true},
		{"proxy", "internal/httperr", true},
		{"proxy", "session", false},
		{"proxy/upstream", "session", false},
		{"challenge/totp", "challenge", true},
		{"challenge", "store", false},
		{"account", "challenge", true},
		{"session", "config", false},
		{"gateway", "config", true},
		{"gateway", "cmd/sallyport", false},
		{"gateway", "sallyporttest", false},
		{"gateway", "store/storetest", false},
		{"store/storetest", "store", true},
		{"sallyporttest", "internal/parts", true},
		{"internal/seal", ".", true},
		{"internal/seal", "internal/secret", false},
		{"internal/seal", "internal/parts", false},
		{"internal/parts", ".", false},
		{"unknown", ".", false},
	} {
		if why := forbidden(c.from, c.to); (why == "") != c.ok {
			t.Errorf("%s imports %s: %q", c.from, c.to, why)
		}
	}
}

func TestLongest(t *testing.T) {
	graph := map[string][]string{"a": {"c", "b"}, "b": {"c"}, "c": {"."}, "d": {"."}, ".": nil}
	if got := fmt.Sprint(longest(graph)); got != "[a b c .]" {
		t.Error(got)
	}
}
