package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"sallyport"
	"sallyport/proxy/upstream"
)

// Faults in the words of somebody who wrote the file by hand: what was probably
// meant, spelt out, to be copied.

const portHint = "ports are 1 to 65535"

// listenHint says how an address to listen on is written.
func listenHint(a string) string {
	_, port, err := net.SplitHostPort(a)
	if err != nil {
		port = a
	}
	n, notNumber := strconv.Atoi(port)
	switch {
	case notNumber == nil && (n < 1 || n > 65535):
		return portHint
	case notNumber == nil && err != nil:
		return fmt.Sprintf("did you mean `\":%d\"`?", n)
	}
	return "write `:443` or `192.0.2.1:443`"
}

// plainer rewords faults of routes where the setting shows what was meant.
func (c *Config) plainer(faults sallyport.FieldErrors) sallyport.FieldErrors {
	for _, f := range faults {
		for i, r := range c.Routes {
			key, ok := strings.CutPrefix(f.Path, index("routes", i)+".")
			if !ok {
				continue
			}
			for j, a := range r.Upstream {
				if key == "upstream" && len(r.Upstream) == 1 || key == index("upstream", j) {
					plainerUpstream(f, a)
				}
			}
			for j, h := range r.Hosts {
				if u, err := url.Parse(h); err == nil && u.Host != "" && key == index("hosts", j) {
					f.Hint = "write the host alone: `" + u.Host + "`"
				}
			}
		}
	}
	return faults
}

func plainerUpstream(f *sallyport.FieldError, a string) {
	good := func(a string) bool {
		return !slices.ContainsFunc(upstream.Validate(upstream.Config{Upstream: upstream.Addresses{a}}),
			func(f *sallyport.FieldError) bool { return f.Path == "upstream" })
	}
	switch {
	case !strings.Contains(a, "://") && good("http://"+a):
		f.Msg, f.Hint = fmt.Sprintf("%q does not begin with http:// or https://", a), "did you mean `http://"+a+"`?"
	case strings.HasSuffix(f.Msg, " is not a port"):
		f.Hint = portHint
	}
}

var entryOf = regexp.MustCompile(`\b(routes|identity)\[\d+\]`)

// named puts the name and the line of an entry where a message counts it: nobody
// counts from 0 down a list of two hundred.
func (s *shape) named(msg string) string {
	return entryOf.ReplaceAllStringFunc(msg, func(entry string) string {
		what := "route"
		if strings.HasPrefix(entry, "identity") {
			what = "identity entry"
		}
		n := s.nodes[entry]
		if n == nil {
			return entry
		}
		if name := s.nodes[entry+".name"]; name != nil && name.Value != "" {
			return fmt.Sprintf("%s `%s` (line %d)", what, s.text(name), n.Line)
		}
		return fmt.Sprintf("the %s on line %d", what, n.Line)
	})
}

// gluedKey finds a key whose value follows without a space, so that YAML takes
// the two for one text.
var gluedKey = regexp.MustCompile(`^\s*(?:- )?([a-z_]+):[^\s:/]`)

// gluedKey returns the key, with its colon, that text begins with; "" if none.
func (s *shape) gluedKey(text string) string {
	if m := gluedKey.FindStringSubmatch(text); len(m) == 2 && s.homes(m[1]) != "" {
		return m[1] + ":"
	}
	return ""
}

// isKey reports whether the format has a key of that name.
func isKey(name string) bool {
	return slices.ContainsFunc(Keys(), func(k Key) bool { return k.Path[strings.LastIndexByte(k.Path, '.')+1:] == name })
}

// sectionHint says what to write where a section needs keys. A bare value that
// fits just one of them was meant for that one.
func (s *shape) sectionHint(n *yaml.Node, fields []field, keys []string, path string) string {
	var fits []string
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		for _, f := range fields {
			k := kindOf(f.Type)
			if k != kindInt && k != kindBool && k != kindDuration {
				continue
			}
			if _, _, problem := convert(n, k, s.expanded[n] != ""); problem == "" {
				fits = append(fits, f.Key)
			}
		}
	}
	if len(fits) == 1 {
		return fmt.Sprintf("`%s: {%s: %s}`", path[strings.LastIndexByte(path, '.')+1:], fits[0], s.text(n))
	}
	return "its keys on lines of their own, further in: " + codes(keys)
}

// typeSynonym is the identity type that other products call by another name.
func typeSynonym(name string) string {
	return map[string]string{
		"activedirectory": TypeLDAP, "ad": TypeLDAP, "ldaps": TypeLDAP, "msad": TypeLDAP,
		"openid": TypeOIDC, "openidconnect": TypeOIDC, "oauth": TypeOIDC, "oauth2": TypeOIDC, "entra": TypeOIDC, "azuread": TypeOIDC,
	}[fold(name)]
}

var commentValue = regexp.MustCompile(`:\s+(#\S+)\s*$`)

// commentHint tells a value that YAML took for a comment; "" where there is none.
func (s *shape) commentHint(n *yaml.Node) string {
	if m := commentValue.FindStringSubmatch(s.src.line(n.Line)); m != nil && !s.src.secret[n.Line] {
		return "`#` begins a comment: write `\"" + m[1] + "\"`"
	}
	return ""
}
