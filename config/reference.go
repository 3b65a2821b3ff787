package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Examples holds an example value by key path with [] for any entry.
type Examples map[string]string

// ReadExamples collects the examples of the manual from the routing files in a
// folder, in the order of their names; the first that writes a key down is its
// example.
func ReadExamples(dir string) (Examples, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read examples: %w", err)
	}
	out := Examples{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read examples: %w", err)
		}
		top, errs := parse(newSource(f, string(text)), text)
		if errs != nil {
			return nil, errs
		}
		if err := out.collect(top, ""); err != nil {
			return nil, fmt.Errorf("read examples: %s: %w", f, err)
		}
	}
	return out, nil
}

func (e Examples) collect(n *yaml.Node, path string) error {
	switch n.Kind {
	case yaml.MappingNode:
		of := ""
		if path == "identity[]" {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == "type" {
					of = n.Content[i+1].Value + ":"
				}
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := e.collect(n.Content[i+1], of+join(path, n.Content[i].Value)); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if err := e.collect(c, path+"[]"); err != nil {
				return err
			}
		}
	}
	if _, ok := e[path]; ok || path == "" {
		return nil
	}
	value, err := oneLine(n)
	e[path] = value
	// The keys that every identity entry has are not those of one type.
	if _, plain, ok := strings.Cut(path, ":"); ok && e[plain] == "" {
		e[plain] = value
	}
	return err
}

// oneLine writes a node in flow style.
func oneLine(n *yaml.Node) (string, error) {
	dup := *n
	dup.HeadComment, dup.LineComment, dup.FootComment = "", "", ""
	if dup.Kind != yaml.ScalarNode {
		dup.Style = yaml.FlowStyle
	}
	out, err := yaml.Dump(&dup, yaml.WithLineWidth(-1))
	return strings.TrimSpace(string(out)), err
}

// Reference returns docs/configuration.md: every key with what its comment says
// and an example.
func Reference(docs map[string]string, examples Examples) ([]byte, error) {
	var b strings.Builder
	b.WriteString(intro)
	var missing []string
	sections := groupKeys(keysBelow(reflect.TypeFor[Config](), "", "", docs))
	for _, title := range sectionOrder(sections) {
		fmt.Fprintf(&b, "\n## %s\n", title)
		for _, k := range sections[title] {
			ex, ok := examples[prefixed(k)]
			if !ok && kindOf(k.Type) != kindSection {
				missing = append(missing, prefixed(k))
			}
			writeKey(&b, k, ex)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("keys without an example in config/testdata/example: %s", strings.Join(missing, ", "))
	}
	return []byte(b.String()), nil
}

const intro = `# Configuration

<!-- Generated from the field comments by ` + "`go generate ./config`" + `; do not edit. -->

One YAML file, the routing file, says everything. ` + "`sallyport init --dir DIR`" + ` writes one to start from, ` + "`sallyport config check`" + ` judges it, ` + "`sallyport config show`" + ` prints it with every default filled in, ` + "`sallyport config schema`" + ` prints its JSON Schema for editors.

- Every fault is reported at once, with its place. An unknown key is a fault, so a misspelt one never goes unnoticed.
- Durations are written ` + "`90s`, `10m`, `1h30m`, `14d`" + `.
- Relative paths begin in the folder of the routing file. A key that ends in ` + "`_file`" + ` names a file that must exist.
- ` + "`${NAME}`" + ` in a value stands for the environment variable, which must be set; ` + "`$${`" + ` stands for the characters ` + "`${`" + `. What a variable holds is a text and is never read as YAML.
- Anchors, aliases, merge keys and tags of YAML are not read.
- The gateway reads the file again when it changes and on SIGHUP. A faulty file changes nothing; a change under ` + "`server`, `tls`, `store`, `secrets`, `audit` or `log`" + ` needs a restart.

In the paths below ` + "`[]`" + ` stands for any entry of a list.
`

func prefixed(k Key) string {
	if k.Of != "" {
		return k.Of + ":" + k.Path
	}
	return k.Path
}

// title of the part of the manual that a key belongs to.
func (k Key) title() string {
	top, _, _ := strings.Cut(k.Path, ".")
	top, _, _ = strings.Cut(top, "[")
	if k.Of != "" {
		return "`" + top + "` of type `" + k.Of + "`"
	}
	return "`" + top + "`"
}

func groupKeys(keys []Key) map[string][]Key {
	out := map[string][]Key{}
	for _, k := range keys {
		out[k.title()] = append(out[k.title()], k)
	}
	return out
}

func sectionOrder(sections map[string][]Key) []string {
	order := map[string]int{}
	for i, key := range keysOf(reflect.TypeFor[Config]()) {
		order["`"+key+"`"] = i * 10
	}
	for i, name := range identityTypes() {
		order["`identity` of type `"+name+"`"] = order["`identity`"] + i + 1
	}
	return slices.SortedFunc(maps.Keys(sections), func(a, b string) int { return order[a] - order[b] })
}

func writeKey(b *strings.Builder, k Key, ex string) {
	last := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
	d := describeKey(last, k.Comment, k.Doc)
	fmt.Fprintf(b, "\n### `%s`\n\n%s\n\n", k.Path, d.Text)
	fmt.Fprintf(b, "- Type: %s\n", typeName(k.Type))
	for _, line := range []struct{ name, text string }{
		{"Must be set", d.Required}, {"Default", d.Default}, {"Range", d.Range},
	} {
		if line.text != "" {
			fmt.Fprintf(b, "- %s: %s\n", line.name, line.text)
		}
	}
	if ex != "" && len(ex) <= 200 {
		fmt.Fprintf(b, "- Example: `%s: %s`\n", last, ex)
	}
}

// typeName says in words what is written.
func typeName(t reflect.Type) string {
	t = indirect(t)
	switch kindOf(t) {
	case kindDuration:
		return "duration"
	case kindSecret:
		return "text, secret"
	case kindInt:
		return "whole number"
	case kindBool:
		return "`true` or `false`"
	case kindSection, kindIdentity:
		return "section"
	case kindOneOrMany:
		return "text or list of texts"
	case kindList:
		if k := kindOf(t.Elem()); k == kindSection || k == kindIdentity {
			return "list of sections"
		}
		return "list of texts"
	case kindTable:
		if kindOf(t.Elem()) == kindList {
			return "names with lists of texts"
		}
		return "names with texts"
	}
	return "text"
}
