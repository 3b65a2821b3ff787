// Package e2e holds the tests that drive an assembled gateway as people do: with a
// real browser, in both languages, on a desk and on a phone, with and without
// JavaScript, against a real ASP.NET application, a real OpenID provider and a real
// directory. It has no code of its own besides its tests.
package e2e
