package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Error is one fault in the routing file.
type Error struct {
	// File is the routing file as it was named.
	File string `json:"file"`
	// Line and Column count from 1; Column counts characters. Both are 0 when the
	// file could not be read at all.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Length of the faulty text on its line, in characters, at least 1.
	Length int `json:"length,omitempty"`
	// Snippet is the line itself, with secrets blotted out.
	Snippet string `json:"snippet,omitempty"`
	// Path of the setting: "routes[2].upstream".
	Path string `json:"path,omitempty"`
	// Msg says what is wrong.
	Msg string `json:"message"`
	// Hint says what to write instead; may be empty.
	Hint string `json:"hint,omitempty"`
}

// Error implements error: position and message in one line.
func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	msg := e.Msg
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return where + ": " + msg
}

// Render returns the fault for a terminal: position and message, the line with
// the fault underlined, and the hint.
func (e *Error) Render() string {
	var b strings.Builder
	if e.Line == 0 {
		fmt.Fprintf(&b, "%s: %s\n", e.File, e.Msg)
	} else {
		fmt.Fprintf(&b, "%s:%d:%d: %s\n", e.File, e.Line, e.Column, e.Msg)
		fmt.Fprintf(&b, "%5d | %s\n", e.Line, visible(e.Snippet))
		fmt.Fprintf(&b, "      | %s\n", underline(e.Snippet, e.Column, e.Length))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "      = %s\n", e.Hint)
	}
	return b.String()
}

// Errors are all the faults of a routing file, in the order of the file.
type Errors []*Error

// Error implements error: one fault a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Render returns all the faults for a terminal.
func (e Errors) Render() string {
	parts := make([]string, len(e))
	for i, f := range e {
		parts[i] = f.Render()
	}
	return strings.Join(parts, "\n")
}

// sorted orders by position and drops repetitions.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(e, func(a, b *Error) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Msg == b.Msg
	})
}

// underline returns carets under length characters from column on, in step with
// the columns that a terminal gives to each character before them.
func underline(line string, column, length int) string {
	var b strings.Builder
	runes := []rune(line)
	for i := 0; i < column-1 && i < len(runes); i++ {
		if runes[i] == '\t' {
			b.WriteByte('\t')
			continue
		}
		b.WriteString(strings.Repeat(" ", cells(runes[i])))
	}
	n := 0
	for i := column - 1; i < column-1+length && i < len(runes); i++ {
		n += cells(runes[i])
	}
	b.WriteString(strings.Repeat("^", max(n, 1)))
	return b.String()
}

// cells is how many columns a terminal gives to r.
func cells(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// visible replaces what could drive a terminal: the file may come from anywhere.
func visible(line string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) || r == utf8.RuneError {
			return '\uFFFD'
		}
		return r
	}, line)
}

// source is the text of a routing file and the name it goes by.
type source struct {
	name  string
	lines []string
	// secret lines hold a secret value; found when the tree is known.
	secret map[int]bool
}

func newSource(name, text string) *source {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return &source{name: name, lines: strings.Split(text, "\n"), secret: map[int]bool{}}
}

// errorAt returns a fault whose position is moved inside the file.
func (s *source) errorAt(line, column, length int, path, msg, hint string) *Error {
	line = min(max(line, 1), len(s.lines))
	text := s.lines[line-1]
	n := len([]rune(text))
	column = min(max(column, 1), n+1)
	length = min(max(length, 1), max(n-column+1, 1))
	return &Error{
		File: s.name, Line: line, Column: column, Length: length,
		Path: path, Msg: msg, Hint: hint,
	}
}

// finish sorts the faults and adds the lines, now that it is known which of them
// hold secrets.
func (s *source) finish(errs Errors) Errors {
	for _, e := range errs {
		if e.Line > 0 {
			e.Snippet = s.snippet(e.Line)
		}
	}
	return errs.sorted()
}

// maxSnippet keeps a fault in a very long line readable, in characters.
const maxSnippet = 400

// secretValue finds `client_secret: value` and its like in a line, also inside
// braces. Names of files that hold secrets are not secret.
var secretValue = regexp.MustCompile(`(?i)([\w-]*(?:secret|passw(?:or)?d|master_key|token|dsn)["']?\s*:\s+)("(?:[^"\\]|\\.)*"?|'[^']*'?|\$\{\w+\}|[^\s{[,}#][^,}]*)`)

const redacted = "[redacted]"

// onlyVariable: the text is one ${NAME}, which tells nothing.
func onlyVariable(text string) bool {
	name, ok := strings.CutPrefix(strings.Trim(text, `"'`), "${")
	return ok && validName(strings.TrimSuffix(name, "}"))
}

// onlyKey finds the key that begins a line.
var onlyKey = regexp.MustCompile(`^\s*(?:- )?[\w-]+\s*:\s+`)

// snippet returns a line without secrets: faults are logged and pasted into
// tickets (H4).
func (s *source) snippet(line int) string {
	text := s.lines[line-1]
	text = secretValue.ReplaceAllStringFunc(text, func(m string) string {
		parts := secretValue.FindStringSubmatch(m)
		if onlyVariable(parts[2]) {
			return m
		}
		return parts[1] + redacted
	})
	if s.secret[line] && text == s.lines[line-1] && !strings.Contains(text, "${") {
		text = onlyKey.FindString(text) + redacted
	}
	if r := []rune(text); len(r) > maxSnippet {
		text = string(r[:maxSnippet]) + "…"
	}
	return text
}
