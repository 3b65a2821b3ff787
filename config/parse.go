package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxSize of a routing file in bytes: far above any real one, and small enough
// that a mistaken path cannot fill the memory.
const maxSize = 32 << 20

// parse reads the text as exactly one YAML document whose top is a mapping. It
// returns nil and the faults when the text is not that.
func parse(src *source, text []byte) (*yaml.Node, Errors) {
	if errs := badCharacters(src); len(errs) > 0 {
		return nil, errs
	}
	loader, err := yaml.NewLoader(bytes.NewReader(text), yaml.WithUniqueKeys(false))
	if err != nil {
		return nil, Errors{src.errorAt(1, 1, 1, "", err.Error(), "")}
	}
	var doc yaml.Node
	switch err = loader.Load(&doc); {
	case errors.Is(err, io.EOF):
		return nil, Errors{src.errorAt(1, 1, 1, "", "the file is empty", "`sallyport init` writes one to start from")}
	case err != nil:
		return nil, syntaxErrors(src, err)
	}
	var second yaml.Node
	switch err = loader.Load(&second); {
	case err == nil:
		line := second.Line
		for line > 1 && !strings.HasPrefix(src.line(line), "---") {
			line--
		}
		return nil, Errors{src.errorAt(line, 1, 3, "", "a second document begins here", "keep one document: remove the `---`")}
	case !errors.Is(err, io.EOF):
		return nil, syntaxErrors(src, err)
	}
	return top(src, &doc)
}

// top returns the mapping at the top of a document.
func top(src *source, doc *yaml.Node) (*yaml.Node, Errors) {
	if len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" {
		return nil, Errors{src.errorAt(1, 1, 1, "", "the file is empty", "`sallyport init` writes one to start from")}
	}
	n := doc.Content[0]
	if n.Kind != yaml.MappingNode {
		return nil, Errors{src.errorAt(n.Line, n.Column, 1, "", "expected `key: value` lines, found "+nodeKind(n), "begin with `version: 1`")}
	}
	return n, nil
}

func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return s.lines[n-1]
}

// badCharacters reports what no editor shows and YAML refuses or would take for
// the end of a line.
func badCharacters(src *source) Errors {
	var errs Errors
	for i, line := range src.lines {
		col := 0
		for off, r := range line {
			col++
			var what string
			switch {
			case r == utf8.RuneError && !strings.HasPrefix(line[off:], "\uFFFD"):
				what = "is not UTF-8"
			case invisible(r):
				what = fmt.Sprintf("holds the invisible character U+%04X", r)
			default:
				continue
			}
			errs = append(errs, src.errorAt(i+1, col, 1, "", "the line "+what, "save the file as plain UTF-8 text"))
			break
		}
		if len(errs) == maxRepeats {
			break
		}
	}
	return errs
}

// invisible tells control characters, ends of line that only some programs see,
// and marks that turn the direction of text, so that a reader sees another file
// than the gateway.
func invisible(r rune) bool {
	return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0x200b || r == 0x200e || r == 0x200f ||
		r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xFEFF
}

// maxRepeats of one kind of fault: a binary file needs no thousand lines.
const maxRepeats = 10

// syntaxErrors turns what the parser says into faults. It stops at the first, so
// tabs, the usual cause, are looked for in the whole file.
func syntaxErrors(src *source, err error) Errors {
	var errs Errors
	for i, line := range src.lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if at := strings.IndexByte(indent, '\t'); at >= 0 && strings.TrimSpace(line) != "" && len(errs) < maxRepeats {
			errs = append(errs, src.errorAt(i+1, at+1, len(indent)-at, "", "a tab in the indentation", "indent with spaces"))
		}
	}
	if len(errs) > 0 {
		return errs
	}
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return Errors{src.errorAt(1, 1, 1, "", "not YAML: "+err.Error(), "")}
	}
	mark := le.Mark
	msg, hint := plainWords(le.Message)
	if strings.Contains(le.Message, "end of stream") || strings.Contains(le.Message, "did not find expected ',") {
		mark = le.ContextMark // where the quote or bracket was opened
	}
	if mark.Line == 0 {
		mark = le.Mark
	}
	for _, line := range []int{mark.Line, mark.Line - 1} {
		// A key without its space makes a text of the line, and a fault of the next.
		if m := gluedKey.FindStringSubmatch(src.line(line)); len(m) == 2 && isKey(m[1]) {
			return Errors{src.errorAt(line, 1+strings.Index(src.line(line), m[1]), len(m[1])+1, "", "not YAML: no space after `"+m[1]+":`",
				"write a space after `"+m[1]+":`")}
		}
	}
	return Errors{src.errorAt(mark.Line, mark.Column, 1, "", "not YAML: "+msg, hint)}
}

// plainWords says in words what the parser found, and what usually helps.
func plainWords(msg string) (string, string) {
	for _, w := range []struct{ part, msg, hint string }{
		{"mapping values are not allowed", "a `:` where no value can begin", "check the indentation of this line and the one before, or put quotes around a value that holds `: `"},
		{"found unexpected end of stream", "the quote that opens here is never closed", "close it, or write '' for one ' inside single quotes"},
		{"did not find expected ',' or ']'", "the `[` that opens here is never closed", "close it with `]`, with commas between the entries"},
		{"did not find expected ',' or '}'", "the `{` that opens here is never closed", "close it with `}`, with commas between the entries"},
		{"cannot start any token", "a value cannot begin with this character", "put quotes around the value"},
		{"unknown escape character", "no such escape in double quotes", `write \\ for one backslash, or use single quotes`},
		{"did not find expected '-' indicator", "expected another `- ` entry of the list", "check the indentation"},
		{"did not find expected key", "expected another key", "check the indentation and that `: ` follows the key"},
		{"could not find expected ':'", "expected `: ` after the key", "write `key: value`"},
		{"unknown anchor", "`*` refers to an anchor, which this file cannot have", "write the value out, or put quotes around a text that begins with `*`"},
		{"incompatible YAML document", "an unknown %YAML version", "remove the line"},
	} {
		if strings.Contains(msg, w.part) {
			return w.msg, w.hint
		}
	}
	return msg, "check the indentation, quotes and brackets here"
}

// nodeKind names what a node is, for "found …".
func nodeKind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "nothing"
		case "!!int", "!!float":
			return "a number"
		case "!!bool":
			return "true or false"
		}
		return "a text"
	}
	return "an alias"
}
