// Package sallyport holds the nouns of the gateway: users and their states,
// identities, verification methods, sessions, flows, and the errors and codes
// that every other package speaks. It imports nothing of the project and does
// no work of its own beyond making identifiers and comparing names.
package sallyport
