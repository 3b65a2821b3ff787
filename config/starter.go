package config

import (
	_ "embed"
	"strings"
)

//go:embed starter.yaml
var starter string

// StarterValues go into the file that `sallyport init` writes.
type StarterValues struct {
	Portal   string // host of our own pages
	Host     string // host of the first app
	Upstream string // its address
}

// Starter returns a commented routing file to start from. Beside it there must
// be a master key in `master.key`.
func Starter(v StarterValues) []byte {
	return []byte(strings.NewReplacer(
		"{{portal}}", v.Portal, "{{host}}", v.Host, "{{upstream}}", v.Upstream,
	).Replace(starter))
}
