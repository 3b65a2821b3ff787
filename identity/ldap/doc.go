// Package ldap checks names and passwords against an LDAP directory or Active
// Directory: a service account searches for the person, and a bind as the entry
// found judges the password.
//
// Searches run on a few pooled connections that are only ever bound as the
// service account. Each password is judged on a connection of its own, which is
// closed afterwards, so that no search can ever run with somebody's rights.
//
// Referrals are not followed: they would send passwords to a server that nobody
// configured.
//
// A group's name is the value of the first part of its DN: "finance" for
// CN=finance,OU=groups,DC=corp,DC=example. Two groups of one name in different
// places are therefore one group here; let base_dn of groups name a place where
// only administrators make them. A value that is no DN is the name itself.
package ldap
