package config

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"sallyport/identity/ldap"
	"sallyport/identity/local"
	"sallyport/identity/oidc"
)

// Identity is an entry of `identity`: one first factor. Exactly the config that
// its type names is set.
type Identity struct {
	// Name of the provider in qualified groups, links and logs: letters, digits,
	// `-`, `_`. Renaming it cuts the links of its users. Must be set, and be unique.
	Name string `yaml:"name" json:"name"`
	// Type is `local`, `ldap` or `oidc`. Must be set.
	Type string `yaml:"type" json:"type"`
	// Label on the sign-in page. Default: the name.
	Label string `yaml:"label,omitempty" json:"label,omitempty"`

	Local *local.Config `yaml:"-" json:"-"`
	LDAP  *ldap.Config  `yaml:"-" json:"-"`
	OIDC  *oidc.Config  `yaml:"-" json:"-"`
}

// The types of identity entries.
const (
	TypeLocal = "local"
	TypeLDAP  = "ldap"
	TypeOIDC  = "oidc"
)

func identityTypes() []string { return []string{TypeLocal, TypeLDAP, TypeOIDC} }

// variantType returns the type of the keys that an entry of the given type has
// besides its own; nil for an unknown type.
func variantType(name string) reflect.Type {
	switch name {
	case TypeLocal:
		return reflect.TypeFor[local.Config]()
	case TypeLDAP:
		return reflect.TypeFor[ldap.Config]()
	case TypeOIDC:
		return reflect.TypeFor[oidc.Config]()
	}
	return nil
}

// Variant returns a pointer to the config of the entry's type, nil if none.
func (i *Identity) Variant() any {
	switch {
	case i.Local != nil:
		return i.Local
	case i.LDAP != nil:
		return i.LDAP
	case i.OIDC != nil:
		return i.OIDC
	}
	return nil
}

// head is an Identity without its methods.
type head struct {
	Name  string `yaml:"name"`
	Type  string `yaml:"type"`
	Label string `yaml:"label"`
}

// UnmarshalYAML reads the keys of the entry and those of its type, which stand
// side by side, over the defaults of that type.
func (i *Identity) UnmarshalYAML(n *yaml.Node) error {
	own, rest := splitKeys(n, keysOf(reflect.TypeFor[Identity]()))
	var h head
	if err := own.Load(&h, yaml.WithKnownFields()); err != nil {
		return fmt.Errorf("identity entry: %w", err)
	}
	*i = Identity{Name: h.Name, Type: h.Type, Label: h.Label}
	variant := defaultVariant(i)
	if variant == nil {
		return fmt.Errorf("identity type %q is none of %s", h.Type, strings.Join(identityTypes(), ", "))
	}
	if len(rest.Content) == 0 {
		return nil
	}
	if err := rest.Load(variant, yaml.WithKnownFields()); err != nil {
		return fmt.Errorf("identity entry %q: %w", h.Name, err)
	}
	return nil
}

// splitKeys parts a mapping into the pairs whose key is among keys, and the rest.
func splitKeys(n *yaml.Node, keys []string) (in, out *yaml.Node) {
	in = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	out = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	for k := 0; k+1 < len(n.Content); k += 2 {
		to := out
		for _, key := range keys {
			if n.Content[k].Value == key {
				to = in
			}
		}
		to.Content = append(to.Content, n.Content[k], n.Content[k+1])
	}
	return in, out
}
