package main

import (
	"log/slog"
	"strings"
	"testing"
)

// H4: what an upstream sent unasked does not reach the log by way of a library.
func TestLibraryLogQuotesNoUpstream(t *testing.T) {
	var b strings.Builder
	l := libraryLog{slog.New(slog.NewTextHandler(&b, nil))}
	if _, err := l.Write([]byte("Unsolicited response received on idle HTTP channel starting with \"HTTP/1.1 200 OK\\r\\nSet-Cookie: s=secret\"; err=<nil>\n")); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.Contains(got, "secret") || !strings.Contains(got, "Unsolicited response") {
		t.Errorf("logged %s", got)
	}
}
