package web

import (
	"errors"
	"fmt"
	"strings"

	"sallyport"
)

// errorDoc is what docs/errors.md says of a code beyond what users see.
type errorDoc struct {
	Code    sallyport.Code
	Meaning string // what happened
	Admin   string // what the admin should do
}

// family is one thousand of codes.
type family struct{ Prefix, Title string }

func families() []family {
	return []family{
		{"SP-1", "1xxx: first factor"},
		{"SP-2", "2xxx: verification"},
		{"SP-3", "3xxx: registration"},
		{"SP-4", "4xxx: access"},
		{"SP-5", "5xxx: session"},
		{"SP-7", "7xxx: the protected application"},
		{"SP-9", "9xxx: the gateway itself"},
	}
}

// ErrorCodes returns every code that docs/errors.md describes, in order.
func ErrorCodes() []sallyport.Code {
	docs := errorDocs()
	out := make([]sallyport.Code, len(docs))
	for i, d := range docs {
		out[i] = d.Code
	}
	return out
}

// DescribeCode says what a code means and what the admin should do, as
// docs/errors.md does; both are "" for a code that it does not have.
func DescribeCode(code sallyport.Code) (meaning, admin string) {
	for _, d := range errorDocs() {
		if d.Code == code {
			return d.Meaning, d.Admin
		}
	}
	return "", ""
}

// ErrorsDocument returns docs/errors.md: the table of this package joined with the
// English texts that users see.
func (u *UI) ErrorsDocument() ([]byte, error) {
	l := u.exact("en")
	if l == nil {
		return nil, errors.New("there is no English catalogue")
	}
	var b strings.Builder
	b.WriteString("# Error codes\n\n" +
		"Generated from `web/errordocs.go` and `web/catalog/en.toml`; change them there and run `go test ./web -update`.\n\n" +
		"Every error page and every problem (RFC 9457) that Sallyport answers with carries one of these codes, which never change their " +
		"meaning, and a request ID (correlation ID). The log and the audit log have the same ID: " +
		"`sallyport explain --correlation ID` shows what led to it.\n")
	for _, f := range families() {
		fmt.Fprintf(&b, "\n## %s\n", f.Title)
		for _, d := range errorDocs() {
			if !strings.HasPrefix(string(d.Code), f.Prefix) {
				continue
			}
			var texts [3]string
			for i, suffix := range []string{".title", ".text", ".help"} {
				s, err := l.text("error."+string(d.Code)+suffix, nil)
				if err != nil {
					return nil, err
				}
				texts[i] = s
			}
			fmt.Fprintf(&b, "\n### %s: %s\n\n%s\n\n- **The page says:** %s\n- **What the user should do:** %s\n- **What the admin should do:** %s\n",
				d.Code, texts[0], d.Meaning, texts[1], texts[2], d.Admin)
		}
	}
	return []byte(b.String()), nil
}
