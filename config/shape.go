package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// shape compares a YAML tree with the types of Config. It reports every fault,
// remembers where each setting stands, and leaves a tree that decodes without
// one: faulty keys are taken out, faulty list entries emptied (so that indexes
// stay), durations and numbers put in the form the decoder reads.
type shape struct {
	src      *source
	env      Env
	errs     Errors
	nodes    map[string]*yaml.Node
	bad      map[string]bool // paths of reported faults
	above    map[string]bool // paths of the sections that hold one
	words    map[string]bool // every key of the file, wherever it stands
	strays   bool            // a key stands where no such key exists, nor one like it
	expanded map[*yaml.Node]string
	widths   map[*yaml.Node]int // characters that a scalar takes on its line
	// variables that were put in.
	variables []variable
	fields    map[reflect.Type][]field
	keys      []Key // of the whole format, once they are needed
}

func newShape(src *source, env Env) *shape {
	return &shape{
		src: src, env: env,
		nodes: map[string]*yaml.Node{}, bad: map[string]bool{}, above: map[string]bool{}, words: map[string]bool{}, expanded: map[*yaml.Node]string{},
		widths: map[*yaml.Node]int{}, fields: map[reflect.Type][]field{},
	}
}

func (s *shape) fault(n *yaml.Node, path, hint, format string, args ...any) {
	s.mark(path)
	s.errs = append(s.errs, s.src.errorAt(n.Line, n.Column, s.length(n), path, fmt.Sprintf(format, args...), hint))
}

// fieldsOf is the function of that name, asked once for each type: a file may
// have thousands of routes.
func (s *shape) fieldsOf(t reflect.Type) []field {
	f, ok := s.fields[t]
	if !ok {
		f = fieldsOf(t)
		s.fields[t] = f
	}
	return f
}

// mark remembers that a setting has a fault.
func (s *shape) mark(path string) {
	s.bad[path] = true
	for i := strings.LastIndexAny(path, ".["); i >= 0; i = strings.LastIndexAny(path, ".[") {
		path = path[:i]
		s.above[path] = true
	}
}

// length is how many characters of its line the node takes.
func (s *shape) length(n *yaml.Node) int {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Style&yaml.FlowStyle == 0 {
		return s.length(n.Content[0])
	}
	return max(s.widths[n], 1)
}

// measure finds the width of a scalar, before anything changes it.
func (s *shape) measure(n *yaml.Node) int {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return 1
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 {
		return len([]rune(n.Value))
	}
	line := []rune(s.src.line(n.Line))
	if n.Column < 1 || n.Column >= len(line) {
		return 1
	}
	for i := n.Column; i < len(line); i++ {
		if line[i] == line[n.Column-1] {
			return i - n.Column + 2
		}
	}
	return len(line) - n.Column + 1
}

// text is what the file says, before a variable was put in: faults quote this
// and never the value of a variable, which may be a secret.
func (s *shape) text(n *yaml.Node) string {
	if t, ok := s.expanded[n]; ok {
		return t
	}
	return n.Value
}

// prepare refuses what the format does without (anchors, aliases, merge keys,
// tags) and expands variables in every value.
func (s *shape) prepare(n *yaml.Node, path string, key bool) {
	if n.Kind == yaml.ScalarNode {
		s.widths[n] = s.measure(n)
	}
	if key {
		s.words[n.Value] = true
	}
	switch {
	case n.Anchor != "":
		s.fault(n, path, "write the value out where it is needed", "an anchor `&%s`: this file cannot have them", n.Anchor)
	case n.Kind == yaml.AliasNode:
		s.fault(n, path, "write the value out, or put quotes around a text that begins with `*`", "an alias `*%s`: this file cannot have them", n.Value)
	case n.Style&yaml.TaggedStyle != 0:
		s.fault(n, path, "remove it, or put quotes around a text that begins with `!`", "a tag `%s`: this file cannot have them", n.Tag)
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			child := join(path, n.Content[i].Value)
			s.prepare(n.Content[i], child, true)
			s.prepare(n.Content[i+1], child, false)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			s.prepare(c, index(path, i), false)
		}
	case yaml.ScalarNode:
		if !key && strings.Contains(n.Value, "${") {
			s.expand(n, path)
		}
	}
}

func (s *shape) expand(n *yaml.Node, path string) {
	s.expanded[n] = n.Value
	value, err := expand(n.Value, s.lookUp)
	if err != nil {
		s.fault(n, path, "set it, or write `$${` for the two characters themselves", "%v", err)
		return
	}
	n.Value, n.Tag, n.Style = value, "!!str", yaml.DoubleQuotedStyle
}

// lookUp remembers what variables hold, to keep it out of messages.
func (s *shape) lookUp(name string) (string, bool) {
	value, ok := s.env(name)
	v := variable{name: "${" + name + "}", value: value}
	if !slices.Contains(s.variables, v) {
		s.variables = append(s.variables, v)
		// The longest first, or a part of it would be left standing.
		slices.SortFunc(s.variables, func(a, b variable) int { return len(b.value) - len(a.value) })
	}
	return value, ok
}

// variable is one that the file uses; its name is as it is written.
type variable struct{ name, value string }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// value checks n against t and reports whether it may stay in the tree.
func (s *shape) value(n *yaml.Node, t reflect.Type, path string) bool {
	s.nodes[path] = n
	if s.bad[path] { // refused by prepare
		return false
	}
	t = indirect(t)
	switch kindOf(t) {
	case kindSection:
		return s.section(n, s.fieldsOf(t), path)
	case kindIdentity:
		return s.identity(n, t, path)
	case kindList:
		return s.list(n, t.Elem(), path)
	case kindTable:
		return s.table(n, t.Elem(), path)
	case kindOneOrMany:
		if n.Kind == yaml.SequenceNode {
			return s.list(n, t.Elem(), path)
		}
		return s.scalar(n, kindText, path, "one text, or a list such as `[a, b]`")
	case kindInt:
		return s.scalar(n, kindInt, path, "a whole number, such as `10`")
	case kindBool:
		return s.scalar(n, kindBool, path, "`true` or `false`")
	case kindDuration:
		return s.scalar(n, kindDuration, path, "a duration, such as `90s`, `10m`, `1h30m` or `14d`")
	case kindSecret:
		s.hide(n)
		return s.scalar(n, kindSecret, path, "a text")
	}
	return s.scalar(n, kindText, path, "a text")
}

// hide marks the lines of a secret, so that no fault shows them.
func (s *shape) hide(n *yaml.Node) {
	last := n.Line + strings.Count(n.Value, "\n")
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		last++ // the text begins on the line after
	}
	for l := n.Line; l <= last; l++ {
		s.src.secret[l] = true
	}
}

// mapping makes sure that n is one; nothing counts as an empty one.
func (s *shape) mapping(n *yaml.Node, path, expected string) bool {
	if isNull(n) {
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	}
	if n.Kind != yaml.MappingNode {
		hint := "write " + expected
		if glued := s.gluedKey(s.text(n)); glued != "" {
			hint = "write a space after `" + glued + "`"
		}
		s.fault(n, path, hint, "%s needs keys of its own, found %s", label(path), nodeKind(n))
		return false
	}
	return true
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// section checks a mapping against the keys it may have.
func (s *shape) section(n *yaml.Node, fields []field, path string) bool {
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.Key)
	}
	if !s.mapping(n, path, s.sectionHint(n, fields, keys, path)) {
		return false
	}
	seen := map[string]int{}
	meant := map[string]bool{} // keys that a misspelt one stands for
	keep := n.Content[:0:0]
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !s.key(k, path, seen) {
			meant[k.Value] = true
			continue
		}
		f := find(fields, k.Value)
		if f == nil {
			near := s.unknown(k, keys, path)
			if f = find(fields, near); f != nil && kindOf(f.Type) == kindSecret {
				s.hide(v)
			}
			meant[near] = true
			if near != "" {
				s.mark(join(path, near))
			}
			continue
		}
		if s.value(v, f.Type, join(path, f.Key)) {
			keep = append(keep, k, v)
		}
	}
	n.Content = keep
	for _, f := range fields {
		if _, ok := seen[f.Key]; f.Required && !ok && !meant[f.Key] && !meant["<<"] {
			s.missing(n, f, path)
		}
	}
	return true
}

// key checks a key itself: a text, once. It reports whether to go on with it.
func (s *shape) key(k *yaml.Node, path string, seen map[string]int) bool {
	full := join(path, k.Value)
	switch line, twice := seen[k.Value]; {
	case k.Kind != yaml.ScalarNode:
		s.fault(k, path, "write `key: value`", "a key must be a word, found %s", nodeKind(k))
		return false
	case k.Value == "<<":
		s.mark(path) // what is missing here may stand in what is merged
		s.fault(k, full, "write the keys out", "a merge key `<<`: this file cannot have them")
		return false
	case twice:
		s.fault(k, full, "keep one of the two", "the key `%s` is set already, on line %d", k.Value, line)
		return false
	case s.bad[full] && (k.Anchor != "" || k.Style&yaml.TaggedStyle != 0):
		return false
	}
	seen[k.Value] = k.Line
	return true
}

func find(fields []field, key string) *field {
	for i := range fields {
		if fields[i].Key == key {
			return &fields[i]
		}
	}
	return nil
}

// unknown reports a key that does not exist here and returns the one that was
// probably meant, "" if none is near.
func (s *shape) unknown(k *yaml.Node, keys []string, path string) string {
	full := join(path, k.Value)
	if near := nearest(k.Value, keys); near != "" {
		s.fault(k, full, "", "unknown key `%s`, did you mean `%s`?", k.Value, near)
		return near
	}
	s.strays = true
	hint := "keys here: " + codes(keys)
	if home := s.homes(k.Value); home != "" {
		hint = fmt.Sprintf("`%s` belongs to %s: check the indentation", k.Value, home)
	}
	s.fault(k, full, hint, "unknown key `%s`", k.Value)
	return ""
}

func (s *shape) missing(n *yaml.Node, f field, path string) {
	full := join(path, f.Key)
	hint := "add it"
	if ex := example(f.Key); ex != "" {
		hint = "such as `" + ex + "`"
	}
	where := ""
	if path != "" {
		where = " in `" + path + "`"
	}
	s.fault(n, full, hint, "the key `%s` is missing%s", f.Key, where)
}

// example shows what a key that must be set looks like.
func example(key string) string {
	return map[string]string{
		"version": "version: 1", "portal": "portal: login.example.com", "name": "name: timesheet",
		"hosts": "hosts: [timesheet.example.com]", "upstream": "upstream: http://10.0.0.5:8080",
		"type": "type: local", "issuer": "issuer: https://id.example.com", "client_id": "client_id: sallyport",
		"url": "url: ldaps://dc1.example.com:636", "base_dn": "base_dn: DC=corp,DC=example",
		"ranges": "ranges: [192.0.2.0/24]", "cert_file": "cert_file: certificate.pem", "key_file": "key_file: key.pem",
		"secrets": "secrets: {master_key_file: master.key}", "identity": "identity: [{name: local, type: local}]",
		"server": "server: {portal: login.example.com}",
		"routes": "routes: [{name: app, hosts: [app.example.com], upstream: http://127.0.0.1:8080}]",
	}[key]
}

// identity checks an entry against its own keys and those of its type.
func (s *shape) identity(n *yaml.Node, t reflect.Type, path string) bool {
	own := s.fieldsOf(t)
	if !s.mapping(n, path, "an entry such as `- {name: local, type: local}`") {
		return false
	}
	var typ *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "type" {
			typ = n.Content[i+1]
			break
		}
	}
	if typ == nil || typ.Kind != yaml.ScalarNode || isNull(typ) || s.bad[path+".type"] {
		return s.partial(n, own, path)
	}
	variant := variantType(typ.Value)
	if variant == nil {
		hint := "types: " + codes(identityTypes())
		if near := cmp.Or(nearest(typ.Value, identityTypes()), typeSynonym(typ.Value)); near != "" {
			hint = "did you mean `" + near + "`? " + hint
		}
		s.nodes[path+".type"] = typ
		s.fault(typ, path+".type", hint, "unknown identity type %q", s.text(typ))
		return s.partial(n, own, path)
	}
	return s.section(n, slices.Concat(own, s.fieldsOf(variant)), path)
}

// partial checks the keys that every entry has, where its type is not known, and
// leaves the rest unjudged.
func (s *shape) partial(n *yaml.Node, own []field, path string) bool {
	known, _ := splitKeys(n, keysOf(reflect.TypeFor[Identity]()))
	s.section(known, own, path)
	s.mark(path)
	return false
}

func (s *shape) list(n *yaml.Node, elem reflect.Type, path string) bool {
	if isNull(n) {
		*n = yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: n.Line, Column: n.Column}
	}
	if n.Kind != yaml.SequenceNode {
		hint := "write a list: `[a, b]`, or lines that begin with `- `"
		if n.Kind == yaml.ScalarNode && s.expanded[n] == "" && kindOf(elem) == kindText {
			hint = "write `[" + n.Value + "]`"
		}
		s.fault(n, path, hint, "%s needs a list, found %s", label(path), nodeKind(n))
		return false
	}
	for i, c := range n.Content {
		if s.value(c, elem, index(path, i)) {
			continue
		}
		n.Content[i] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Line: c.Line, Column: c.Column}
		if k := kindOf(elem); k == kindSection || k == kindIdentity {
			n.Content[i] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: c.Line, Column: c.Column}
		}
	}
	return true
}

func (s *shape) table(n *yaml.Node, elem reflect.Type, path string) bool {
	if !s.mapping(n, path, "`name: value` lines, further in") {
		return false
	}
	seen := map[string]int{}
	keep := n.Content[:0:0]
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if s.key(k, path, seen) && s.value(v, elem, join(path, k.Value)) {
			k.Tag = "!!str"
			keep = append(keep, k, v)
		}
	}
	n.Content = keep
	return true
}

// label names a setting by the last key of its path.
func label(path string) string {
	key := path[strings.LastIndexByte(path, '.')+1:]
	key, _, entry := strings.Cut(key, "[")
	if entry {
		return "an entry of `" + key + "`"
	}
	return "`" + key + "`"
}

func codes(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }
