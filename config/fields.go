package config

import (
	"reflect"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/proxy/upstream"
)

// kind is what a value of the format can be.
type kind int

const (
	kindText kind = iota
	kindSecret
	kindInt
	kindBool
	kindDuration
	kindSection   // a struct
	kindIdentity  // a struct with the keys of its variant beside its own
	kindList      // a slice
	kindTable     // a map with text keys
	kindOneOrMany // one text, or a list of texts
)

// kindOf returns the kind of values of type t, behind a pointer too.
func kindOf(t reflect.Type) kind {
	t = indirect(t)
	switch t {
	case reflect.TypeFor[time.Duration]():
		return kindDuration
	case reflect.TypeFor[secret.String]():
		return kindSecret
	case reflect.TypeFor[Identity]():
		return kindIdentity
	case reflect.TypeFor[Listen](), reflect.TypeFor[upstream.Addresses]():
		return kindOneOrMany
	}
	switch t.Kind() {
	case reflect.Struct:
		return kindSection
	case reflect.Slice:
		return kindList
	case reflect.Map:
		return kindTable
	case reflect.Int, reflect.Int64:
		return kindInt
	case reflect.Bool:
		return kindBool
	}
	return kindText
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// field is one key of a section.
type field struct {
	Key      string
	Index    []int // for reflect.Value.FieldByIndex
	Type     reflect.Type
	Required bool
	Doc      string // key of its comment: "proxy.Route.Name"
}

// fieldsOf lists the keys of a section in the order of its fields, embedded
// structs spread out.
func fieldsOf(t reflect.Type) []field {
	var out []field
	t = indirect(t)
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(opts, "inline"):
			for _, in := range fieldsOf(f.Type) {
				in.Index = append([]int{f.Index[0]}, in.Index...)
				out = append(out, in)
			}
		case !f.IsExported() || name == "-" || name == "":
		default:
			out = append(out, field{
				Key: name, Index: f.Index, Type: f.Type,
				Required: !strings.Contains(opts, "omitempty"),
				Doc:      docKey(t, f.Name),
			})
		}
	}
	return out
}

// docKey names a field in the collected comments: package path below the module,
// type, field.
func docKey(t reflect.Type, name string) string {
	pkg := strings.TrimPrefix(t.PkgPath(), "sallyport/")
	return pkg + "." + t.Name() + "." + name
}

func keysOf(t reflect.Type) []string {
	var out []string
	for _, f := range fieldsOf(t) {
		out = append(out, f.Key)
	}
	return out
}
