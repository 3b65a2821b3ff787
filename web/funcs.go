package web

import (
	"fmt"
	"html/template"
	"reflect"
	"strings"
)

// Field is what the functions field and checkbox take, by name.
type Field struct {
	Name  string // form name; must be set
	Label string // must be set
	ID    string // default: Name
	Type  string // default: text
	Value string
	// Help stands under the label, Error beside the field; both are read out with it.
	Help, Error string
	// Wrong is the ID of an alert that says what is wrong with this field among
	// others, without saying which of them it is.
	Wrong                   string
	Autocomplete, Inputmode string
	Pattern, Class          string
	Maxlength               int
	Autofocus, Checked      bool
	// Optional fields may be left empty; all others are required.
	Optional bool
	Readonly bool
}

// Copyable is what the function copyable takes, by name.
type Copyable struct {
	Text  string // shown; must be set
	Value string // copied; default: Text
	Label string // what it is, read out
	ID    string
	Class string // "key" for secrets in groups
}

// step is one entry of a step indicator.
type step struct {
	Label         string
	Number        int
	Done, Current bool
}

// funcs are the template functions of one language.
func (u *UI) funcs(l *lang) template.FuncMap {
	part := func(name string, dot any) (template.HTML, error) {
		var b strings.Builder
		err := l.templates.ExecuteTemplate(&b, name, dot)
		return template.HTML(b.String()), err // escaped: html/template made it
	}
	return template.FuncMap{
		"t": func(key string, args ...any) (string, error) {
			m, err := dict(args...)
			if err != nil {
				return "", fmt.Errorf("t %q: %w", key, err)
			}
			return l.text(key, m)
		},
		"dict":    dict,
		"lang":    func() string { return l.tag.String() },
		"brand":   func() string { return u.cfg.Name },
		"portal":  func() template.URL { return template.URL(u.portal) },
		"asset":   func(name string) (template.URL, error) { return u.assets.path(name) },
		"support": func() (string, error) { return u.support(l) },
		"when":    l.clock(u).when,
		"date":    l.clock(u).date,
		"ago":     l.clock(u).ago,
		"number":  func(n any) string { return l.printer.Sprint(n) },
		"icon":    icon,
		"field": func(args ...any) (template.HTML, error) {
			f := Field{Type: "text"}
			if err := fill(&f, args); err != nil {
				return "", fmt.Errorf("field: %w", err)
			}
			return part("web/field", f.named())
		},
		"checkbox": func(args ...any) (template.HTML, error) {
			f := Field{Type: "checkbox"}
			if err := fill(&f, args); err != nil {
				return "", fmt.Errorf("checkbox: %w", err)
			}
			return part("web/checkbox", f.named())
		},
		"copyable": func(args ...any) (template.HTML, error) {
			var c Copyable
			if err := fill(&c, args); err != nil {
				return "", fmt.Errorf("copyable: %w", err)
			}
			return part("web/copyable", c)
		},
		"alert": func(kind, text string) (template.HTML, error) {
			switch kind {
			case "error", "warning", "success", "info":
				return part("web/alert", map[string]string{"Kind": kind, "Text": text})
			}
			return "", fmt.Errorf("alert: there is no kind %q", kind)
		},
		"steps": func(current int, labels ...string) (template.HTML, error) {
			return part("web/steps", stepList(current, labels))
		},
	}
}

func (f Field) named() Field {
	if f.ID == "" {
		f.ID = f.Name
	}
	return f
}

func stepList(current int, labels []string) []step {
	out := make([]step, len(labels))
	for i, s := range labels {
		out[i] = step{Label: s, Number: i + 1, Done: i+1 < current, Current: i+1 == current}
	}
	return out
}

// support is whom to call.
func (u *UI) support(l *lang) (string, error) {
	if u.cfg.SupportText != "" {
		return u.cfg.SupportText, nil
	}
	return l.text("web.support", nil)
}

// dict makes a map of name, value, name, value ….
func dict(args ...any) (map[string]any, error) {
	if len(args)%2 != 0 {
		return nil, fmt.Errorf("names and values come in pairs, there are %d arguments", len(args))
	}
	m := make(map[string]any, len(args)/2)
	for i := 0; i < len(args); i += 2 {
		name, ok := args[i].(string)
		if !ok {
			return nil, fmt.Errorf("argument %d is %T, not a name", i+1, args[i])
		}
		m[name] = args[i+1]
	}
	return m, nil
}

// fill sets the fields of the struct that v points to from name, value, …. An
// unknown name or a value of another type is an error: a misspelt "Eror" must not
// hide an error from a user.
func fill(v any, args []any) error {
	m, err := dict(args...)
	if err != nil {
		return err
	}
	s := reflect.ValueOf(v).Elem()
	for name, value := range m {
		f := s.FieldByName(name)
		if !f.IsValid() {
			return fmt.Errorf("there is no %q", name)
		}
		given := reflect.ValueOf(value)
		switch {
		case !given.IsValid():
			return fmt.Errorf("%q has no value", name)
		case given.Kind() == f.Kind():
			f.Set(given.Convert(f.Type()))
		default:
			return fmt.Errorf("%q is %s, not %s", name, given.Type(), f.Type())
		}
	}
	return nil
}
