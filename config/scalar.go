package config

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// scalar checks a single value and puts it in the form the decoder reads.
func (s *shape) scalar(n *yaml.Node, k kind, path, expected string) bool {
	name := label(path)
	switch {
	case n.Kind != yaml.ScalarNode:
		s.fault(n, path, "write "+expected, "%s needs %s, found %s", name, before(expected), nodeKind(n))
		return false
	case n.ShortTag() == "!!bool" && (k == kindText || k == kindSecret):
		s.fault(n, path, "put it in quotes if it is one", "%s needs a text, found %s", name, nodeKind(n))
		return false
	case isNull(n):
		s.fault(n, path, cmp.Or(s.commentHint(n), "write "+expected+", or remove the key"), "%s has no value", name)
		return false
	}
	value, tag, problem := convert(n, k, s.expanded[n] != "")
	if problem != "" {
		if k != kindSecret {
			problem += fmt.Sprintf(", found `%s`", clip(s.text(n)))
		}
		s.fault(n, path, "write "+expected, "%s %s", name, problem)
		return false
	}
	n.Value, n.Tag = value, tag
	if tag != "!!str" {
		n.Style = 0
	} else if n.Style == 0 {
		n.Style = yaml.DoubleQuotedStyle // or the decoder would resolve it again
	}
	return true
}

func before(expected string) string {
	head, _, _ := strings.Cut(expected, ", such as")
	return head
}

func clip(text string) string {
	if r := []rune(text); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return text
}

// convert returns the value in the decoder's form, or what is wrong with it. A
// value out of a variable is a text whatever it looks like, and converts to
// numbers and the like by its content alone.
func convert(n *yaml.Node, k kind, expanded bool) (value, tag, problem string) {
	isText := n.ShortTag() == "!!str" && !expanded
	switch k {
	case kindInt:
		i, err := strconv.Atoi(n.Value)
		if err != nil || isText {
			return "", "", "needs a whole number"
		}
		return strconv.Itoa(i), "!!int", ""
	case kindBool:
		if isText || n.Value != "true" && n.Value != "false" {
			return "", "", "needs `true` or `false`"
		}
		return n.Value, "!!bool", ""
	case kindDuration:
		d, err := ParseDuration(n.Value)
		if err != nil {
			return "", "", err.Error()
		}
		return d.String(), "!!str", ""
	}
	return n.Value, "!!str", ""
}

// ParseDuration reads Go's form of a duration with days besides: "90s", "1h30m",
// "14d". Negative ones are refused.
func ParseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n != 0 {
		return 0, fmt.Errorf("needs a unit: s, m, h or d")
	}
	if head, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(head)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("is not a duration")
		}
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("is not a duration")
	}
	if d < 0 {
		return 0, fmt.Errorf("cannot be negative")
	}
	return d, nil
}

// FormatDuration writes d the way ParseDuration reads it, as short as it gets.
func FormatDuration(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
