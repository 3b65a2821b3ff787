package config

import "reflect"

// RestartNeeded lists the sections in which two configurations differ though
// only a restart can change them: listeners and where their certificates come
// from, store, master key and logs belong to the process. A reload that meets any
// of them is refused whole, or it would be called in force and be so in part. The
// content of certificate files is no part of the configuration.
func RestartNeeded(running, wanted *Config) []string {
	var out []string
	for _, s := range []struct {
		name string
		a, b any
	}{
		{"server", running.Server, wanted.Server},
		{"tls", running.TLS, wanted.TLS},
		{"store", running.Store, wanted.Store},
		{"secrets", running.Secrets, wanted.Secrets},
		{"audit", running.Audit, wanted.Audit},
		{"log", running.Log, wanted.Log},
	} {
		if !reflect.DeepEqual(s.a, s.b) {
			out = append(out, s.name)
		}
	}
	return out
}
