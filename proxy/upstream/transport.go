package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Limits of the connections to an upstream.
const (
	defaultConnect        = 10 * time.Second
	defaultResponseHeader = 85 * time.Second
	// idlePerUpstream is how many unused connections are kept: the default of 2
	// would dial anew for almost every request under load.
	idlePerUpstream = 512
	idleTimeout     = 90 * time.Second
	// continueWait is how long a body waits for an upstream's 100 Continue.
	continueWait   = time.Second
	maxHeaderBytes = 256 << 10
	// ioBuffer of a connection holds headers; bodies pass in larger pieces around it.
	ioBuffer = 4 << 10
)

// dialFunc opens a connection; that it cannot is a *dialError.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

func newDial(connect time.Duration) dialFunc {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, &dialError{err: err}
		}
		return conn, nil
	}
}

// newTransport builds the connections to the upstreams of one route. It never
// looks at proxy variables of the environment and never asks for compression on
// its own, which would change the answer.
func newTransport(c Config, dial dialFunc) (*http.Transport, error) {
	conf, err := tlsConfig(c.UpstreamTLS)
	if err != nil {
		return nil, err
	}
	connect := or(c.Timeouts.Connect, defaultConnect)
	return &http.Transport{
		DialContext: dial,
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, connect)
			defer cancel()
			return dialTLS(ctx, dial, conf, network, addr)
		},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    idlePerUpstream,
		IdleConnTimeout:        idleTimeout,
		ResponseHeaderTimeout:  or(c.Timeouts.ResponseHeader, defaultResponseHeader),
		ExpectContinueTimeout:  continueWait,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ReadBufferSize:         ioBuffer,
		WriteBufferSize:        ioBuffer,
	}, nil
}

func dialTLS(ctx context.Context, dial dialFunc, conf *tls.Config, network, addr string) (net.Conn, error) {
	raw, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conf = conf.Clone()
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			_ = raw.Close()
			return nil, &dialError{tls: true, err: err}
		}
		conf.ServerName = host
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, &dialError{tls: true, err: err}
	}
	return conn, nil
}

// tlsVersions are the values of upstream_tls.min_version.
func tlsVersion(s string) (uint16, bool) {
	switch s {
	case "", "1.2":
		return tls.VersionTLS12, true
	case "1.3":
		return tls.VersionTLS13, true
	case "1.1":
		return tls.VersionTLS11, true
	case "1.0":
		return tls.VersionTLS10, true
	}
	return 0, false
}

func tlsConfig(c TLS) (*tls.Config, error) {
	version, ok := tlsVersion(c.MinVersion)
	if !ok {
		return nil, fmt.Errorf("upstream_tls.min_version: %q is not a TLS version", c.MinVersion)
	}
	conf := &tls.Config{
		MinVersion:         version,
		ServerName:         c.ServerName,
		InsecureSkipVerify: c.InsecureSkipVerify, //nolint:gosec // the admin wrote it out; Validate and the manual say what it costs
		NextProtos:         []string{"h2", "http/1.1"},
	}
	if c.CAFile == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("reading the upstream's CA: %w", err)
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the upstream's CA: %s holds no certificate", c.CAFile)
	}
	return conf, nil
}

func or(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}
