// Package parts starts the real programs that the tests run against: an LDAP
// server, an Active Directory, an OpenID provider, an ACME server, an old ASP.NET
// application and a browser.
//
// Each helper starts its part on a loopback address in a temporary folder,
// waits until the part answers, and stops it by its process when the test ends.
// A program that can only be told its port gets a free one; when somebody else
// takes that port in between, the start is tried three times.
//
// Where a program is missing the test is skipped and says how to install it.
// With CI=true a missing program is a failure, so a skip cannot go unnoticed.
// scripts/install-test-parts.sh installs everything on Debian.
//
// The package is for tests only and knows nothing about the rest of the module.
package parts
