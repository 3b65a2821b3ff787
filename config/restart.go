package config

import "reflect"

// RestartNeeded lists the sections in which two configurations differ though
// only a restart can change them: listeners, store and master key belong to the
// process. A reload that meets any of them is refused whole.
func RestartNeeded(running, wanted *Config) []string {
	var out []string
	for _, s := range []struct {
		name string
		a, b any
	}{
		{"server", running.Server, wanted.Server},
		{"store", running.Store, wanted.Store},
		{"secrets", running.Secrets, wanted.Secrets},
	} {
		if !reflect.DeepEqual(s.a, s.b) {
			out = append(out, s.name)
		}
	}
	return out
}
