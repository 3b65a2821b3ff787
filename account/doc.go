// Package account is what signed-in users do for themselves: the security-info
// page with their methods, recovery codes, remembered devices and sessions.
package account
