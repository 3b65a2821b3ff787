// Package ldap checks names and passwords against an LDAP directory or Active
// Directory: search, then bind as the user found.
package ldap
