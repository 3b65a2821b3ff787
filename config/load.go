package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"sallyport"
	"sallyport/proxy"
)

// Load reads and checks the routing file. The error is an Errors with every
// fault that could be found; then there is no Config. It reads the files that
// the configuration names and changes nothing.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, Errors{{File: path, Msg: err.Error(), Hint: "`sallyport init` writes one to start from"}}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, Errors{{File: path, Msg: err.Error()}}
	}
	c, err := load(path, abs, text, env)
	if err != nil {
		return nil, err
	}
	c.origin.sum = sha256.Sum256(text)
	return c, nil
}

// readFile reads a routing file; what it is and why not is in the error.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the routing file: %w", reason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the routing file: %w", reason(err))
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("the routing file is larger than %d MiB", maxSize>>20)
	}
	return text, nil
}

// reason strips what is said already (the path, the call) from an error of the
// operating system.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// load does the work of Load on a text that was read from the file abs, called
// name in faults.
func load(name, abs string, text []byte, env Env) (*Config, error) {
	c, _, errs := read(name, abs, text, env)
	if len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

// read returns the settings as far as they could be read, and every fault. The
// shape is nil, and so are the settings, where the file as a whole cannot be
// understood.
func read(name, abs string, text []byte, env Env) (*Config, *shape, Errors) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	src := newSource(name, string(text))
	top, errs := parse(src, text)
	if errs != nil {
		return nil, nil, src.finish(errs)
	}
	s := newShape(src, env)
	s.prepare(top, "", false)
	if e := wrongVersion(s, top); e != nil {
		return nil, nil, src.finish(Errors{e})
	}
	s.nodes[""] = top
	if !s.value(top, reflect.TypeFor[Config](), "") {
		return nil, nil, src.finish(s.errs)
	}

	c := Default()
	if err := s.decode(c, top); err != nil {
		return nil, nil, src.finish(append(s.errs, err))
	}
	c.origin.file = abs
	c.absolute(filepath.Dir(abs))
	c.derive(filepath.Dir(abs))
	s.add(&s.errs, append(c.Validate(), s.emptyAllow(c)...))
	s.add(&c.origin.warnings, append(c.checkFiles(&s.errs, s), c.doubts()...))
	if len(s.errs) > 0 {
		return c, s, src.finish(s.errs)
	}
	c.origin.warnings = src.finish(c.origin.warnings)
	c.ResolveGroups()
	return c, s, nil
}

// wrongVersion looks at the version first: a file of another version has other
// keys, and judging them by ours would bury the one fault that counts.
func wrongVersion(s *shape, top *yaml.Node) *Error {
	for i := 0; i+1 < len(top.Content); i += 2 {
		v := top.Content[i+1]
		if top.Content[i].Value != "version" || v.Kind != yaml.ScalarNode || v.Value == "1" {
			continue
		}
		return s.src.errorAt(v.Line, v.Column, s.length(v), "version",
			fmt.Sprintf("this program reads version %d of the format, found `%s`", Version, clip(s.text(v))), "write `version: 1`")
	}
	return nil
}

// decode reads the checked tree over the defaults in c. An error here is one
// that the shape check should have found.
func (s *shape) decode(c *Config, top *yaml.Node) *Error {
	v := reflect.ValueOf(c).Elem()
	fields := fieldsOf(v.Type())
	for i := 0; i+1 < len(top.Content); i += 2 {
		n := top.Content[i+1]
		f := find(fields, top.Content[i].Value)
		if err := decodeField(n, v.FieldByIndex(f.Index).Addr().Interface()); err != nil {
			return s.src.errorAt(n.Line, n.Column, 1, f.Key, err.Error(), "")
		}
	}
	return nil
}

func decodeField(n *yaml.Node, target any) error {
	switch t := target.(type) {
	case *TLS:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "acme" {
				acme := defaultACME()
				t.ACME = &acme
			}
		}
	case *[]proxy.Route:
		*t = make([]proxy.Route, len(n.Content))
		for i, entry := range n.Content {
			(*t)[i] = defaultRoute()
			if err := entry.Load(&(*t)[i], yaml.WithKnownFields()); err != nil {
				return err
			}
		}
		return nil
	case *[]Identity:
		*t = make([]Identity, len(n.Content))
		for i, entry := range n.Content {
			if len(entry.Content) == 0 {
				continue // emptied by the shape check
			}
			if err := entry.Load(&(*t)[i], yaml.WithKnownFields()); err != nil {
				return err
			}
		}
		return nil
	}
	return n.Load(target, yaml.WithKnownFields())
}

// add gives faults of a Validate their place in the file. Those about settings
// that are reported already are dropped: they are what the first fault caused.
func (s *shape) add(to *Errors, faults sallyport.FieldErrors) {
	for _, f := range faults {
		// What is said of a whole section (that nothing is in it, say) may only
		// follow from a fault inside.
		if s.reported(f.Path) || s.above[f.Path] {
			continue
		}
		n := s.nearestNode(f.Path)
		msg, hint := s.named(f.Msg), s.named(f.Hint)
		*to = append(*to, s.src.errorAt(n.Line, n.Column, s.length(n), f.Path, s.conceal(n, msg), s.conceal(n, hint)))
	}
	for _, f := range faults {
		s.mark(f.Path)
	}
}

// conceal puts the names of variables where a message quotes their values, which
// may be secrets. Short values are looked for only where the variable was used:
// elsewhere they may be any word.
func (s *shape) conceal(n *yaml.Node, msg string) string {
	_, here := s.expanded[n]
	for _, v := range s.variables {
		if v.value != "" && (here || len(v.value) >= minConcealed) {
			quoted := strconv.Quote(v.value)
			msg = strings.ReplaceAll(msg, quoted[1:len(quoted)-1], v.name)
			msg = strings.ReplaceAll(msg, v.value, v.name)
		}
	}
	return msg
}

const minConcealed = 6

// reported: the setting, or one that holds it, has a fault of its own already.
func (s *shape) reported(path string) bool {
	for {
		if s.bad[path] {
			return true
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return false
		}
		path = path[:i]
	}
}

// nearestNode is the node of the setting, or of the innermost section that
// holds it where the setting itself is not written.
func (s *shape) nearestNode(path string) *yaml.Node {
	for {
		if n := s.nodes[path]; n != nil {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return s.nodes[""]
		}
		path = path[:i]
	}
}
