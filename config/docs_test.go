package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"

	"sallyport/config/internal/comments"
)

// What is generated from the sources must be as fresh as they are: run
// `go generate ./config`.
func TestGeneratedFilesAreFresh(t *testing.T) {
	found, err := comments.Collect("..")
	if err != nil {
		t.Fatal(err)
	}
	var embedded map[string]string
	if err := json.Unmarshal(descriptions, &embedded); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(found, embedded) {
		t.Error("descriptions.json is stale: run go generate ./config")
	}
	examples, err := ReadExamples("testdata/example")
	if err != nil {
		t.Fatal(err)
	}
	page, err := Reference(found, examples)
	if err != nil {
		t.Fatal(err)
	}
	if written := mustRead(t, "../docs/configuration.md"); string(page) != string(written) {
		t.Error("docs/configuration.md is stale: run go generate ./config")
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Keys() {
		if k.Comment == "" {
			t.Errorf("%s has no comment", k.Path)
		}
		if d := describeKey("x", k.Comment, k.Doc); d.Text == "" {
			t.Errorf("%s has no description besides its limits: %s", k.Path, k.Comment)
		}
		if name := prefixed(k); seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[prefixed(k)] = true
	}
	if len(seen) < 100 || !seen["ldap:identity[].groups.nested"] || !seen["routes[].upstream_tls.ca_file"] {
		t.Errorf("%d keys", len(seen))
	}
}

// at returns the setting at a path with [] for the first entry.
func at(v reflect.Value, path string) reflect.Value {
	for _, key := range strings.Split(path, ".") {
		key, entry := strings.CutSuffix(key, "[]")
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		fields := fieldsOf(v.Type())
		if f := find(fields, key); f != nil {
			v = v.FieldByIndex(f.Index)
		} else {
			id := v.Interface().(Identity)
			variant := reflect.ValueOf(id.Variant()).Elem()
			v = variant.FieldByIndex(find(fieldsOf(variant.Type()), key).Index)
		}
		if entry {
			v = v.Index(0)
		}
	}
	return v
}

// A default that a comment promises is the one that a file without the key gets.
func TestDefaultsAreAsDescribed(t *testing.T) {
	c := Default()
	c.Identity = make([]Identity, 3)
	acme := defaultACME()
	c.TLS.ACME = &acme
	c.Routes = append(c.Routes, defaultRoute())
	value := regexp.MustCompile("^`?\"?([^`\"]*)\"?`?$")
	checked := 0
	for _, k := range Keys() {
		want := describeKey("x", k.Comment, k.Doc).Default
		if k.Of != "" {
			c.Identity[0] = Identity{Type: k.Of}
			defaultVariant(&c.Identity[0])
		} else if strings.HasPrefix(k.Path, "identity[]") || strings.Contains(k.Path, "[].") && !strings.HasPrefix(k.Path, "routes") {
			continue
		}
		var got string
		switch v := at(reflect.ValueOf(c), k.Path); kindOf(k.Type) {
		case kindDuration:
			d, err := ParseDuration(strings.TrimSuffix(strings.SplitN(want, ",", 2)[0], " "))
			if err != nil && want != "" {
				t.Errorf("%s: the default %q is not a duration", k.Path, want)
			}
			want, got = d.String(), time.Duration(v.Int()).String()
		case kindInt:
			if _, err := strconv.Atoi(strings.SplitN(want, ",", 2)[0]); err != nil {
				continue // in words
			}
			want, got = strings.SplitN(want, ",", 2)[0], fmt.Sprint(v.Int())
		case kindOneOrMany:
			if want = value.ReplaceAllString(strings.TrimSuffix(want, ", off"), "$1"); v.Len() == 1 {
				got = v.Index(0).String()
			}
		case kindText:
			if m := value.FindStringSubmatch(want); len(m) < 2 || m[1] == "none" || strings.Contains(m[1], " ") || v.String() == "" {
				continue // in words, or filled in where it is used
			}
			want, got = value.ReplaceAllString(want, "$1"), v.String()
		default:
			continue
		}
		checked++
		if got != want {
			t.Errorf("%s: the comment says %q, the default is %q", k.Path, want, got)
		}
	}
	if checked < 30 {
		t.Errorf("only %d defaults were compared", checked)
	}
}

// A range that a comment promises is enforced, at both ends.
func TestRangesAreEnforced(t *testing.T) {
	dir := folder(t)
	bounds := regexp.MustCompile(`^(\S+) to (\S+?)( days)?(,.*)?$`)
	checked := 0
	for _, k := range Keys() {
		text := describeKey("x", k.Comment, k.Doc).Range
		if text == "" {
			continue
		}
		m := bounds.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%s: the range %q cannot be read", k.Path, text)
			continue
		}
		var low, high string
		if kindOf(k.Type) == kindDuration {
			if m[3] != "" {
				m[2] += "d"
			}
			from, err1 := ParseDuration(m[1])
			to, err2 := ParseDuration(m[2])
			if err1 != nil || err2 != nil {
				t.Errorf("%s: the range %q cannot be read", k.Path, text)
				continue
			}
			high = (to + time.Millisecond).String()
			if from > 0 {
				low = (from - time.Millisecond).String()
			}
		} else {
			from, _ := strconv.Atoi(m[1])
			to, _ := strconv.Atoi(m[2])
			high = strconv.Itoa(to + 1)
			if from > 1 { // 0 is the default in some packages
				low = strconv.Itoa(from - 1)
			} else {
				low = strconv.Itoa(from - 2)
			}
		}
		for _, v := range []string{low, high} {
			if v == "" {
				continue
			}
			checked++
			text := setting(k, v)
			_, err := loadIn(t, dir, text)
			if err == nil {
				t.Errorf("%s: %s was accepted outside %s:\n%s", k.Path, v, m[0], text)
				continue
			}
			errs, _ := errors.AsType[Errors](err)
			last := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
			if !slices.ContainsFunc(errs, func(e *Error) bool { return strings.HasSuffix(e.Path, "."+last) }) {
				t.Errorf("%s: another fault: %v", k.Path, err)
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d bounds were tried", checked)
	}
}

// setting is a routing file that is good but for one key.
func setting(k Key, value string) string {
	parts := strings.Split(k.Path, ".")
	text := value
	for i := len(parts) - 1; i > 0; i-- {
		text = "{" + parts[i] + ": " + text + "}"
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	file := good
	switch parts[0] {
	case "server":
		return strings.Replace(file, "server:\n", "server:\n  "+inner+"\n", 1)
	case "tls":
		return strings.Replace(file, "  internal: true\n", "  "+inner+"\n", 1)
	case "identity[]":
		extra := map[string]string{
			"local": "type: local",
			"ldap":  "type: ldap\n    url: ldaps://h\n    base_dn: DC=x",
			"oidc":  "type: oidc\n    issuer: https://id.example\n    client_id: x\n    client_secret: y",
		}[k.Of]
		return strings.Replace(file, "type: local", extra+"\n    "+inner, 1)
	case "routes[]":
		return file + "    " + inner + "\n"
	}
	return file + parts[0] + ":\n  " + inner + "\n"
}

func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	instance := func(text []byte) any {
		var v map[string]any
		if err := yaml.Load(text, &v); err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var out any
		if err := json.Unmarshal(j, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, f := range exampleFiles(t) {
		if err := r.Validate(instance(mustRead(t, f))); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := r.Validate(instance([]byte(good + "mfa:\nlocations:\nstore: {grace: 0}\n"))); err != nil {
		t.Errorf("empty sections: %v", err)
	}
	for _, name := range []string{
		"unknown-key-near", "unknown-key-of-other-type", "key-missing", "list-for-text", "text-for-section",
		"text-for-number", "text-for-switch", "duration-without-unit", "duration-not-one", "identity-type",
		"method-unknown", "state-unknown", "sections-missing", "text-for-route",
	} {
		if err := r.Validate(instance(mustRead(t, "testdata/bad/"+name+".yaml"))); err == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
	if !strings.Contains(string(text), "ends a session that has made no request") {
		t.Error("the schema has no descriptions")
	}
}
