package config

import (
	_ "embed"
	"encoding/json"
)

//go:generate go run ./gen

// descriptions.json holds the comments of every Config type's fields, collected
// from the source by gen.
//
//go:embed descriptions.json
var descriptions []byte

// fieldComments returns the field comments by "package.Type.Field".
func fieldComments() map[string]string {
	out := map[string]string{}
	_ = json.Unmarshal(descriptions, &out) // a test holds it to the sources
	return out
}
