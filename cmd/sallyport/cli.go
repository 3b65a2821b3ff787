package main

import (
	"io"
	"time"
)

// cli is what a command may touch of the world outside. Results go to Stdout,
// messages to Stderr.
type cli struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Now            func() time.Time
}

// Exit codes; 0 is done.
const (
	exitNo    = 1 // it was understood, and the answer is no
	exitUsage = 2 // it was called wrongly
)

// usageError is a wrong use of a command.
type usageError string

// Error implements error.
func (e usageError) Error() string { return string(e) }
