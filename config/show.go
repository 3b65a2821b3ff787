package config

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"sallyport/internal/secret"
)

// YAML prints the configuration with every default filled in and every secret
// redacted. What it prints loads again, to the same configuration but for
// secrets that were written in the file itself.
func (c *Config) YAML() ([]byte, error) {
	n := dumpStruct(reflect.ValueOf(c).Elem())
	var b bytes.Buffer
	d, err := yaml.NewDumper(&b, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("print configuration: %w", err)
	}
	if err := d.Dump(n); err != nil {
		return nil, fmt.Errorf("print configuration: %w", err)
	}
	if err := d.Close(); err != nil {
		return nil, fmt.Errorf("print configuration: %w", err)
	}
	return b.Bytes(), nil
}

func dumpStruct(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	dumpFields(n, v)
	if id, ok := v.Interface().(Identity); ok && id.Variant() != nil {
		dumpFields(n, reflect.ValueOf(id.Variant()).Elem())
	}
	return n
}

func dumpFields(n *yaml.Node, v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		if value := dumpValue(v.FieldByIndex(f.Index)); value != nil {
			n.Content = append(n.Content, text(f.Key), value)
		}
	}
}

// dumpValue returns nil for what is not set: a zero that is a number, a switch
// or a duration is a setting, an empty text, list or section is not.
func dumpValue(v reflect.Value) *yaml.Node {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch kindOf(v.Type()) {
	case kindDuration:
		return text(FormatDuration(time.Duration(v.Int())))
	case kindSecret:
		if s := v.Interface().(secret.String); !s.Empty() {
			return text(s.String())
		}
		return nil
	case kindInt:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}
	case kindBool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}
	case kindSection, kindIdentity:
		if n := dumpStruct(v); len(n.Content) > 0 {
			return n
		}
		return nil
	case kindOneOrMany:
		return dumpOneOrMany(v)
	case kindList:
		return dumpList(v)
	case kindTable:
		return dumpTable(v)
	}
	if v.String() == "" {
		return nil
	}
	return text(escape(v.String()))
}

func dumpOneOrMany(v reflect.Value) *yaml.Node {
	switch v.Len() {
	case 0:
		n := text("")
		n.Style = yaml.DoubleQuotedStyle
		return n
	case 1:
		return text(escape(v.Index(0).String()))
	}
	return dumpList(v)
}

func dumpList(v reflect.Value) *yaml.Node {
	if v.Len() == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i := range v.Len() {
		entry := dumpValue(v.Index(i))
		if entry == nil {
			entry = text("")
			entry.Style = yaml.DoubleQuotedStyle
		}
		n.Content = append(n.Content, entry)
	}
	return n
}

func dumpTable(v reflect.Value) *yaml.Node {
	if v.Len() == 0 {
		return nil
	}
	keys := map[string]reflect.Value{}
	for _, k := range v.MapKeys() {
		keys[k.String()] = v.MapIndex(k)
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if value := dumpValue(keys[k]); value != nil {
			n.Content = append(n.Content, text(k), value)
		}
	}
	return n
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }
