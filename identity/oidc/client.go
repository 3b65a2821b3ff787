package oidc

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"time"

	"sallyport"
	"sallyport/identity"
)

const (
	// maxAnswer is the longest body that is read of an answer, unpacked.
	maxAnswer = 512 << 10
	// maxHeader is the longest header of an answer.
	maxHeader = 64 << 10
)

var errTooLarge = errors.New("the provider's answer is too large")

// bounded reads every answer whole, and none beyond maxAnswer. A body that breaks
// off or grows too large is then an error of the request, and a cut answer is
// never taken for a whole one.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil {
		// A server that ends its answer because we hung up must not turn a time-out
		// into an answer.
		err = r.Context().Err()
	}
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, errTooLarge
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// newClient returns the client for all requests to the provider, made from given
// (which may be nil) and never changing it.
func newClient(given *http.Client, caFile string, timeout time.Duration) (*http.Client, error) {
	c := &http.Client{Timeout: timeout}
	if given != nil {
		*c = *given
		if c.Timeout == 0 || c.Timeout > timeout {
			c.Timeout = timeout
		}
	}
	if c.Transport == nil {
		roots, err := identity.Roots(caFile)
		if err != nil {
			return nil, &sallyport.FieldError{Path: "ca_file", Msg: err.Error()}
		}
		c.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxHeader,
			MaxConnsPerHost:        16,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    timeout,
		}
	}
	c.Transport = bounded{c.Transport}
	// A redirect would carry the code, the client's secret or a token to wherever
	// it points.
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return c, nil
}
