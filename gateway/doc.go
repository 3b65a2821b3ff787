// Package gateway assembles the parts: it reads the master key, opens the store,
// builds a generation of handlers from the routing file, and runs listeners,
// background work and reloads.
package gateway
