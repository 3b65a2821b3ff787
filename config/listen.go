package config

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// Listen is one listening address or a list of them; an empty list is off.
type Listen []string

// UnmarshalYAML accepts a string or a list of strings; "" is an empty list.
func (l *Listen) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = Listen{}
		if n.Value != "" {
			*l = Listen{n.Value}
		}
		return nil
	}
	var list []string
	if err := n.Load(&list); err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	*l = list
	return nil
}
