package gateway

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"sallyport"
)

// A port that is taken: the setting and the system's reason, each said once.
func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = bind(kindHTTPS, ln.Addr().String())
	if err == nil {
		t.Fatal("bound twice")
	}
	if got := err.Error(); strings.Count(got, "address already in use") != 1 || !strings.HasPrefix(got, "cannot listen: server.https: "+ln.Addr().String()+": ") {
		t.Errorf("%q", got)
	}
	var setting *sallyport.FieldError
	if !errors.As(err, &setting) || setting.Path != "server.https" || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("what it wraps is lost: %#v", err)
	}
}
