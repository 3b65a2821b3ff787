package upstream

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"
)

// Config is the upstream half of a route.
type Config struct {
	// Upstream is the app's address, `http://10.0.0.5:8080` or `https://…`, or a
	// list of them, used in turn; unhealthy ones are skipped. Must be set.
	Upstream Addresses `yaml:"upstream" json:"upstream"`
	// PreserveHost sends the public Host header upstream. Default: false, which
	// sends the upstream's own.
	PreserveHost bool `yaml:"preserve_host,omitempty" json:"preserve_host,omitempty"`
	// UpstreamTLS applies to https upstreams.
	UpstreamTLS TLS `yaml:"upstream_tls,omitempty" json:"upstream_tls,omitzero"`
	// Health checks of the upstreams. Without a path an upstream is unhealthy for
	// a while after it could not be reached.
	Health Health `yaml:"health,omitempty" json:"health,omitzero"`
	// Timeouts of the upstream.
	Timeouts Timeouts `yaml:"timeouts,omitempty" json:"timeouts,omitzero"`
}

// Addresses is one upstream address or a list of them.
type Addresses []string

// UnmarshalYAML accepts one address or a list of them.
func (a *Addresses) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*a = Addresses{n.Value}
		return nil
	}
	var list []string
	if err := n.Load(&list); err != nil {
		return fmt.Errorf("upstream addresses: %w", err)
	}
	*a = list
	return nil
}

// TLS is `routes[].upstream_tls`.
type TLS struct {
	// CAFile holds the certificates (PEM) that the upstream's must chain to.
	// Default: the system's.
	CAFile string `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`
	// ServerName that the upstream's certificate must carry. Default: the host of
	// the upstream's address.
	ServerName string `yaml:"server_name,omitempty" json:"server_name,omitempty"`
	// MinVersion is `1.2` or `1.3`; `1.0` and `1.1` for apps that know no better.
	// Default: `1.2`.
	MinVersion string `yaml:"min_version,omitempty" json:"min_version,omitempty"`
	// InsecureSkipVerify accepts any certificate. It makes the connection worth
	// no more than plain HTTP. Default: false.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify,omitempty" json:"insecure_skip_verify,omitempty"`
}

// Health is `routes[].health`.
type Health struct {
	// Path to GET for an active check, such as `/health`; a status below 400 is
	// healthy. Default: none, no active check.
	Path string `yaml:"path,omitempty" json:"path,omitempty"`
	// Interval between active checks. Default: 10s. Range: 1s to 1h.
	Interval time.Duration `yaml:"interval,omitempty" json:"interval,omitempty"`
	// Timeout of one check. Default: 5s.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// FailFor is how long an upstream that could not be reached is skipped, where
	// there is another. Default: 10s.
	FailFor time.Duration `yaml:"fail_for,omitempty" json:"fail_for,omitempty"`
}

// Timeouts is `routes[].timeouts`.
type Timeouts struct {
	// Connect limits the TCP and TLS connection. Default: 10s.
	Connect time.Duration `yaml:"connect,omitempty" json:"connect,omitempty"`
	// ResponseHeader limits the wait for the first byte of the answer after the
	// request was sent. Default: 85s, as Application Proxy has it.
	ResponseHeader time.Duration `yaml:"response_header,omitempty" json:"response_header,omitempty"`
	// Idle closes a WebSocket or a stream without any byte for this long.
	// Default: 0, never.
	Idle time.Duration `yaml:"idle,omitempty" json:"idle,omitempty"`
}
