// Package trim gives memory back that only starting up needed: of a program of
// this size, the pages that run during initialisation are most of what stays
// mapped, and none of them serves a request.
package trim
