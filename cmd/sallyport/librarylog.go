package main

import (
	stdlog "log"
	"log/slog"
	"strings"
)

// libraryLog takes what libraries write with the standard log package. The transport
// of net/http quotes there what an upstream sent unasked, which may be anything, a
// cookie too; that part is left out.
type libraryLog struct{ log *slog.Logger }

// takeLibraryLog makes log the default logger, of libraries as well.
func takeLibraryLog(log *slog.Logger) {
	slog.SetDefault(log)
	stdlog.SetOutput(libraryLog{log})
}

// Write implements io.Writer; p is one line.
func (l libraryLog) Write(p []byte) (int, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(string(p)), " starting with ")
	l.log.Warn("library", "message", line)
	return len(p), nil
}
