// Package challenge asks people for what a decision still needs: a flow, its
// dispatcher, and the steps of sign-in, verification and registration.
package challenge
