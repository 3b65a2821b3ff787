package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"sallyport"
	"sallyport/challenge"
	"sallyport/internal/secret"
	"sallyport/proxy/upstream"
)

// Schema returns the JSON Schema (2020-12) of the routing file, for editors that
// complete and check while one types. Load checks more than a schema can say.
func Schema() ([]byte, error) {
	docs := fieldComments()
	identity, err := identitySchema(docs)
	if err != nil {
		return nil, err
	}
	types := scalarSchemas()
	types[reflect.TypeFor[Identity]()] = identity
	s, err := jsonschema.For[Config](&jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	describe(s, reflect.TypeFor[Config](), docs)
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Sallyport routing file"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return append(out, '\n'), nil
}

func scalarSchemas() map[reflect.Type]*jsonschema.Schema {
	texts := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}}
	oneOrMany := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, texts}}
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[time.Duration](): {AnyOf: []*jsonschema.Schema{
			{Type: "string", Pattern: `^(0|[0-9]+d|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+|.*\$\{.*)$`},
			{Const: jsonschema.Ptr[any](0)},
		}},
		reflect.TypeFor[secret.String]():         {Types: []string{"string", "number"}},
		reflect.TypeFor[Listen]():                oneOrMany,
		reflect.TypeFor[upstream.Addresses]():    oneOrMany,
		reflect.TypeFor[sallyport.State]():       enum(sallyport.StateDisabled, sallyport.StateEnabled, sallyport.StateEnforced),
		reflect.TypeFor[sallyport.Kind]():        enum(sallyport.KindTOTP, sallyport.KindRecovery),
		reflect.TypeFor[challenge.Requirement](): enum(challenge.RequireTrustedLocation),
	}
}

func enum[T ~string](values ...T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// identitySchema is one of three objects, told apart by `type`.
func identitySchema(docs map[string]string) (*jsonschema.Schema, error) {
	out := &jsonschema.Schema{}
	for _, name := range identityTypes() {
		t := variantType(name)
		s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: scalarSchemas()})
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", name, err)
		}
		describe(s, t, docs)
		own, err := jsonschema.For[Identity](nil)
		if err != nil {
			return nil, fmt.Errorf("schema of identity: %w", err)
		}
		describe(own, reflect.TypeFor[Identity](), docs)
		for key, p := range own.Properties {
			s.Properties[key] = p
		}
		s.Properties["type"].Const = jsonschema.Ptr[any](name)
		s.Required = append(own.Required, s.Required...)
		s.PropertyOrder = append(own.PropertyOrder, s.PropertyOrder...)
		out.OneOf = append(out.OneOf, s)
	}
	return out, nil
}

// describe puts the comments of the fields of t into s.
func describe(s *jsonschema.Schema, t reflect.Type, docs map[string]string) {
	for _, f := range fieldsOf(t) {
		p := s.Properties[f.Key]
		if p == nil {
			continue
		}
		p.Description = describeKey(f.Key, docs[f.Doc], f.Doc).whole()
		// Sections and lists may be written without anything in them.
		if p.Type != "" && (p.Type == "object" || p.Type == "array") {
			p.Types, p.Type = []string{"null", p.Type}, ""
		}
		switch elem := indirect(f.Type); kindOf(elem) {
		case kindSection:
			describe(p, elem, docs)
		case kindList:
			if in := indirect(elem.Elem()); in.Kind() == reflect.Struct && p.Items != nil && in != reflect.TypeFor[Identity]() {
				describe(p.Items, in, docs)
			}
		}
	}
}

// description is a comment taken apart.
type description struct {
	Text     string
	Default  string
	Range    string
	Required string // "yes", or the condition
}

// describeKey takes a comment apart: "Idle ends … Default: 1h. Range: 1m to 30
// days." The name of the Go field becomes the key.
func describeKey(key, comment, doc string) description {
	var d description
	goName := doc[strings.LastIndexByte(doc, '.')+1:]
	if rest, ok := strings.CutPrefix(comment, goName+" "); ok {
		comment = "`" + key + "` " + rest
	}
	var text []string
	for _, sentence := range sentences(comment) {
		switch {
		case strings.HasPrefix(sentence, "Default: "):
			d.Default = strings.TrimSuffix(strings.TrimPrefix(sentence, "Default: "), ".")
		case strings.HasPrefix(sentence, "Range: "):
			d.Range = strings.TrimSuffix(strings.TrimPrefix(sentence, "Range: "), ".")
		case strings.HasPrefix(sentence, "Must be set"):
			d.Required = "yes"
			if rest := strings.TrimSuffix(strings.TrimPrefix(sentence, "Must be set"), "."); rest != "" {
				d.Required += rest
			}
		default:
			text = append(text, sentence)
		}
	}
	d.Text = strings.Join(text, " ")
	return d
}

func (d description) whole() string {
	out := d.Text
	for _, part := range []struct{ name, text string }{{"Default", d.Default}, {"Range", d.Range}} {
		if part.text != "" {
			out += " " + part.name + ": " + part.text + "."
		}
	}
	return out
}

// sentences splits at full stops that end a sentence: those before a space and a
// capital or a backquote, outside backquotes.
func sentences(text string) []string {
	var out []string
	start, code := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '`':
			code = !code
		case !code && text[i] == '.' && i+2 < len(text) && text[i+1] == ' ' && (text[i+2] >= 'A' && text[i+2] <= 'Z' || text[i+2] == '`'):
			out = append(out, text[start:i+1])
			start = i + 2
		}
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}
