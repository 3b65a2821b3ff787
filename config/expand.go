package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Env looks an environment variable up.
type Env func(name string) (string, bool)

// expand replaces each ${NAME} by the variable's value, and $${ by ${. The result
// is a text and nothing else: it is never read as YAML, so a variable can add no
// key, and a `#` or `: ` in a password stays one.
func expand(text string, env Env) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		name, rest, ok := strings.Cut(text[i+2:], "}")
		if !ok {
			return "", fmt.Errorf("`${` without a closing `}`")
		}
		if !validName(name) {
			return "", fmt.Errorf("`${%s}` is not the name of an environment variable", name)
		}
		value, ok := env(name)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		b.WriteString(value)
		text = rest
	}
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func validName(s string) bool { return variableName.MatchString(s) }

// escape reverses expand for a text that is to be read as it is.
func escape(text string) string { return strings.ReplaceAll(text, "${", "$${") }
