package upstream

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sallyport"
)

// Validate returns every fault of the config; paths are relative to the route.
// It reads no file and opens no connection.
func Validate(c Config) sallyport.FieldErrors {
	var e sallyport.FieldErrors
	if len(c.Upstream) == 0 {
		e.Add("upstream", "write the app's address, such as http://10.0.0.5:8080", "the route has no upstream")
	}
	seen := map[string]bool{}
	for i, a := range c.Upstream {
		path := "upstream"
		if len(c.Upstream) > 1 {
			path += "[" + strconv.Itoa(i) + "]"
		}
		if fault, hint := addressFault(a); fault != "" {
			e.Add(path, hint, "%s", fault)
		}
		if seen[strings.ToLower(a)] {
			e.Add(path, "remove it", "the upstream %s is listed twice", a)
		}
		seen[strings.ToLower(a)] = true
	}
	if _, ok := tlsVersion(c.UpstreamTLS.MinVersion); !ok {
		e.Add("upstream_tls.min_version", "write 1.2 or 1.3", "%q is not a TLS version", c.UpstreamTLS.MinVersion)
	}
	if p := c.Health.Path; p != "" && (!strings.HasPrefix(p, "/") || strings.ContainsAny(p, " #")) {
		e.Add("health.path", "write a path such as /health", "%q is not a path", p)
	}
	durations(&e, c)
	return e
}

func durations(e *sallyport.FieldErrors, c Config) {
	if i := c.Health.Interval; i != 0 && (i < time.Second || i > time.Hour) {
		e.Add("health.interval", "write a time from 1s to 1h", "%v is out of range", i)
	}
	for _, d := range []struct {
		path  string
		value time.Duration
	}{
		{"health.timeout", c.Health.Timeout}, {"health.fail_for", c.Health.FailFor},
		{"timeouts.connect", c.Timeouts.Connect}, {"timeouts.response_header", c.Timeouts.ResponseHeader},
		{"timeouts.idle", c.Timeouts.Idle},
	} {
		if d.value < 0 {
			e.Add(d.path, "write a time such as 10s", "%v is negative", d.value)
		}
	}
}

// addressFault says what is wrong with an upstream's address, "" if nothing.
func addressFault(a string) (fault, hint string) {
	const form = "write http://HOST:PORT or https://HOST:PORT"
	u, err := url.Parse(a)
	switch {
	case err != nil:
		return strconv.Quote(a) + " is not an address", form
	case u.Scheme != "http" && u.Scheme != "https":
		return strconv.Quote(a) + " does not begin with http:// or https://", form
	case u.Hostname() == "":
		return strconv.Quote(a) + " names no host", form
	case u.User != nil:
		return "an upstream's address cannot carry a user name or password", form
	case u.Path != "" && u.Path != "/":
		return "an upstream's address cannot carry a path", "leave it out: the app gets the same path that the browser asked for"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "an upstream's address cannot carry a query or fragment", form
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return strconv.Quote(p) + " is not a port", form
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return strconv.Quote(a) + " has a colon but no port", form
	}
	if h := u.Hostname(); net.ParseIP(h) == nil && strings.ContainsAny(h, " *\\") {
		return strconv.Quote(h) + " is not a host name", form
	}
	return "", ""
}
