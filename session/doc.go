// Package session keeps people signed in: cookies, their life cycle, the one-time
// hand-off from the portal to app hosts, revocation, and remembered devices.
package session
