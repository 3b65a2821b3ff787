// Package archtest holds the shape of the module: which package may import
// which, how long files and functions may grow, and that nothing is hidden in
// init functions or mutable package variables.
//
// It has no code, only tests. They parse the source files themselves, because a
// test that asks the go command is cached and passes when it is stale.
package archtest
