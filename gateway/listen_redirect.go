package gateway

import (
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// redirector sends browsers from the http listener to https, on the host they
// asked for and only when it is one of ours: a hostile Host must not turn into a
// redirect that a cache or a person keeps.
type redirector struct {
	port  string // public port of https; "": 443
	known func(host string) bool
}

// portalPort is the port by which browsers reach https, "" for 443.
func portalPort(portal string) string {
	_, port, err := net.SplitHostPort(portal)
	if err != nil || port == "443" {
		return ""
	}
	return port
}

// ServeHTTP implements http.Handler.
func (h redirector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := hostName(r.Host)
	path := r.URL.EscapedPath()
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		http.Error(w, "this method is not served", http.StatusMethodNotAllowed)
		return
	case host == "" || h.known == nil || !h.known(host):
		http.Error(w, "this host is not served here", http.StatusMisdirectedRequest)
		return
	case !strings.HasPrefix(path, "/") || r.URL.Opaque != "" || r.URL.User != nil:
		http.Error(w, "not an address that can be redirected", http.StatusBadRequest)
		return
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	if h.port != "" {
		host += ":" + h.port
	}
	target := "https://" + host + path
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	header := w.Header()
	header["Location"] = []string{target}
	// For good would mean that no browser notices when the port changes.
	header["Cache-Control"] = []string{"max-age=3600"}
	header["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusPermanentRedirect) // keeps the HTTP method, unlike 301
}

// assumeTLS is for the plain listener: whoever may use it ended TLS, so browsers
// see https whatever the last hop says of itself.
func assumeTLS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header["X-Forwarded-Proto"] = []string{"https"}
		next.ServeHTTP(w, r)
	})
}

// serverLog brings what net/http says of a listener into our log.
func serverLog(to *slog.Logger, kind string) *log.Logger {
	return log.New(serverLogWriter{to: to.With("listener", kind)}, "", 0)
}

type serverLogWriter struct{ to *slog.Logger }

// Write implements io.Writer: one call is one message.
func (w serverLogWriter) Write(p []byte) (int, error) {
	msg := strings.TrimSuffix(string(p), "\n")
	switch {
	case strings.Contains(msg, "panic serving"), strings.Contains(msg, "Accept error"):
		w.to.Error(msg)
	case strings.HasPrefix(msg, "http: TLS handshake error"), strings.HasPrefix(msg, "http2:"),
		strings.Contains(msg, "URL query contains semicolon"):
		w.to.Debug(msg) // any scanner on the network can bring these about
	default:
		w.to.Warn(msg)
	}
	return len(p), nil
}
