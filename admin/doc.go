// Package admin holds the operations on users that an administrator performs;
// the commands call them, each audited with its change.
package admin
