package audit

import "strings"

// CSVCell returns s so that a spreadsheet shows it instead of computing it: a text
// that begins like a formula, also after white space, gets an apostrophe before
// it. Use it for every text in an export; quoting stays encoding/csv's task.
func CSVCell(s string) string {
	trimmed := strings.TrimLeft(s, " \t\r\n\v\f\u00a0\u3000")
	if trimmed == "" {
		return s
	}
	for _, lead := range []string{"=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(trimmed, lead) {
			return "'" + s
		}
	}
	if s[0] == '\t' || s[0] == '\r' || s[0] == '\n' {
		return "'" + s
	}
	return s
}
