package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

var errHost = errors.New("the Host header is not a host name")

// maxHost is the longest host name (RFC 1035, section 2.3.4).
const maxHost = 253

// splitHost reads a Host header or authority: the name in lower case without a
// trailing dot, and the port ("" if none). IPv6 addresses keep their brackets, in
// their shortest form.
func splitHost(s string) (name, port string, err error) {
	if strings.HasPrefix(s, "[") {
		return splitIPv6(s)
	}
	name = s
	if i := strings.IndexByte(s, ':'); i >= 0 {
		name, port = s[:i], s[i+1:]
		if !validPort(port) {
			return "", "", errHost
		}
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxHost {
		return "", "", errHost
	}
	upper, label := false, 0
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			label++
		case c >= 'A' && c <= 'Z':
			upper = true
			label++
		case c == '.' && label > 0:
			label = 0
		default:
			// Non-ASCII names reach us as punycode; userinfo, percent signs and the
			// like have no business here.
			return "", "", errHost
		}
	}
	if label == 0 {
		return "", "", errHost
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, port, nil
}

func splitIPv6(s string) (name, port string, err error) {
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return "", "", errHost
	}
	ip, err := netip.ParseAddr(s[1:end])
	if err != nil || !ip.Is6() || ip.Zone() != "" {
		return "", "", errHost
	}
	if rest := s[end+1:]; rest != "" {
		if rest[0] != ':' || !validPort(rest[1:]) {
			return "", "", errHost
		}
		port = rest[1:]
	}
	return "[" + ip.String() + "]", port, nil
}

func validPort(s string) bool {
	if s == "" || len(s) > 5 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n < 65536
}

// portalOf reads the portal's origin.
func portalOf(origin string) (name, port string, err error) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Path != "" || u.RawQuery != "" {
		return "", "", fmt.Errorf("the portal %q is not an origin such as https://login.example.com", origin)
	}
	name, port, err = splitHost(u.Host)
	if err != nil {
		return "", "", fmt.Errorf("the portal %q: %w", origin, err)
	}
	return name, publicPort(port), nil
}

// publicPort returns the port as it stands in an https origin: "" for 443.
func publicPort(port string) string {
	if port == "443" {
		return ""
	}
	return port
}

// withPort joins a name and a public port.
func withPort(name, port string) string {
	if port == "" {
		return name
	}
	return name + ":" + port
}
