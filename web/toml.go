package web

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// UnmarshalCatalogue reads the part of TOML that catalogues use: comments, tables,
// dotted and quoted keys, and strings ("…", '…', """…"""). Everything else is an
// error with its line, so that nothing is read wrongly.
func UnmarshalCatalogue(data []byte, v any) error {
	out, ok := v.(*any)
	if !ok {
		return fmt.Errorf("catalogue: cannot read into %T", v)
	}
	root := map[string]any{}
	table := root
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		at := i + 1
		line := strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' {
			continue
		}
		var err error
		if line[0] == '[' {
			table, err = openTable(root, line)
		} else {
			i, err = readPair(table, lines, i)
		}
		if err != nil {
			return fmt.Errorf("catalogue, line %d: %w", at, err)
		}
	}
	*out = root
	return nil
}

// openTable finds or makes the table of a heading such as [a."b c"].
func openTable(root map[string]any, line string) (map[string]any, error) {
	path, rest, err := readKey(line[1:])
	if err != nil {
		return nil, err
	}
	after, ok := strings.CutPrefix(rest, "]")
	if !ok || !blank(after) {
		return nil, errors.New("a table heading ends with ]")
	}
	return descend(root, path)
}

// descend walks to the table at path, making what is missing.
func descend(m map[string]any, path []string) (map[string]any, error) {
	for _, k := range path {
		switch next := m[k].(type) {
		case nil:
			sub := map[string]any{}
			m[k] = sub
			m = sub
		case map[string]any:
			m = next
		default:
			return nil, fmt.Errorf("%q is a text, not a table", k)
		}
	}
	return m, nil
}

// readPair reads `key = text` from line i on and returns the last line it used.
func readPair(table map[string]any, lines []string, i int) (int, error) {
	path, rest, err := readKey(lines[i])
	if err != nil {
		return i, err
	}
	rest, ok := strings.CutPrefix(rest, "=")
	if !ok {
		return i, errors.New("expected key = \"text\"")
	}
	rest = strings.TrimLeft(rest, " \t")
	var text string
	if strings.HasPrefix(rest, `"""`) {
		text, rest, i, err = readLong(rest[3:], lines, i)
	} else {
		text, rest, err = readString(rest)
	}
	if err != nil {
		return i, err
	}
	if !blank(rest) {
		return i, fmt.Errorf("unexpected %q after the text", rest)
	}
	m, err := descend(table, path[:len(path)-1])
	if err != nil {
		return i, err
	}
	last := path[len(path)-1]
	if _, taken := m[last]; taken {
		return i, fmt.Errorf("%q is there twice", strings.Join(path, "."))
	}
	m[last] = text
	return i, nil
}

// readKey reads a dotted key and returns what follows it.
func readKey(s string) (path []string, rest string, err error) {
	for {
		s = strings.TrimLeft(s, " \t")
		var part string
		if s != "" && (s[0] == '"' || s[0] == '\'') {
			if part, s, err = readString(s); err != nil {
				return nil, "", err
			}
		} else {
			n := strings.IndexFunc(s, func(r rune) bool { return !bareKey(r) })
			if n < 0 {
				n = len(s)
			}
			part, s = s[:n], s[n:]
		}
		if part == "" {
			return nil, "", errors.New("expected a key")
		}
		path = append(path, part)
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] != '.' {
			return path, s, nil
		}
		s = s[1:]
	}
}

func bareKey(r rune) bool {
	return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// readString reads a "…" or '…' text and returns what follows it.
func readString(s string) (text, rest string, err error) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return "", "", errors.New("expected a text in quotes")
	}
	if s[0] == '\'' {
		end := strings.IndexByte(s[1:], '\'')
		if end < 0 {
			return "", "", errors.New("a text without its closing quote")
		}
		return s[1 : end+1], s[end+2:], nil
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			text, err = strconv.Unquote(s[:i+1])
			if err != nil {
				return "", "", fmt.Errorf("%s: not a text: %w", s[:i+1], err)
			}
			return text, s[i+1:], nil
		}
	}
	return "", "", errors.New("a text without its closing quote")
}

// readLong reads a text that ends with """; a newline right after the opening
// quotes is not part of it. Escapes are not read in it.
func readLong(first string, lines []string, i int) (text, rest string, last int, err error) {
	var parts []string
	for line := first; ; line = lines[i] {
		if end := strings.Index(line, `"""`); end >= 0 {
			parts = append(parts, line[:end])
			if parts[0] == "" && len(parts) > 1 {
				parts = parts[1:]
			}
			return strings.Join(parts, "\n"), line[end+3:], i, nil
		}
		parts = append(parts, line)
		if i++; i >= len(lines) {
			return "", "", i - 1, errors.New("a long text without its closing quotes")
		}
	}
}

func blank(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || s[0] == '#'
}
