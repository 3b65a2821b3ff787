package demoapp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wsClient is the client side of RFC 6455, written by hand and apart from the
// server's code, so that both cannot be wrong in the same way.
type wsClient struct {
	t    *testing.T
	conn net.Conn
	br   *bufio.Reader
}

func dialWS(t *testing.T, conn net.Conn) *wsClient {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	c := &wsClient{t: t, conn: conn, br: bufio.NewReader(conn)}
	// The key and its answer are those of RFC 6455 section 1.3.
	fmt.Fprint(conn, "GET /ticker/ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n"+
		"Origin: https://elsewhere.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols ||
		resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("handshake: %d %v", resp.StatusCode, resp.Header)
	}
	return c
}

// frame builds a masked frame; first is FIN, RSV and opcode.
func frame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := []byte{1, 2, 3, 4}
	b = append(b, mask...)
	for i, p := range payload {
		b = append(b, p^mask[i%4])
	}
	return b
}

func (c *wsClient) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next reads one frame as the server must send it: whole and unmasked.
func (c *wsClient) next() (op byte, payload string, err error) {
	var head [8]byte
	if _, err := io.ReadFull(c.br, head[:2]); err != nil {
		return 0, "", err
	}
	if head[0]&0xF0 != 0x80 || head[1]&0x80 != 0 {
		return 0, "", fmt.Errorf("bad frame head %x", head[:2])
	}
	op, length := head[0]&0x0F, uint64(head[1])
	switch length {
	case 126:
		_, err = io.ReadFull(c.br, head[:2])
		length = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(c.br, head[:8])
		length = binary.BigEndian.Uint64(head[:8])
	}
	if err != nil {
		return 0, "", err
	}
	body := make([]byte, length)
	_, err = io.ReadFull(c.br, body)
	return op, string(body), err
}

// nextBesideTicks skips what the ticker sends meanwhile.
func (c *wsClient) nextBesideTicks() (op byte, payload string) {
	c.t.Helper()
	for {
		op, payload, err := c.next()
		if err != nil {
			c.t.Fatal(err)
		}
		if op != opText || !strings.HasPrefix(payload, "tick ") {
			return op, payload
		}
	}
}

// wantClose reads up to the close frame and the end of the connection behind it.
func (c *wsClient) wantClose(code int) {
	c.t.Helper()
	op, payload := c.nextBesideTicks()
	if op != opClose {
		c.t.Fatalf("opcode %x %.40q, want close", op, payload)
	}
	got := closeNoStatus
	if len(payload) >= 2 {
		got = int(binary.BigEndian.Uint16([]byte(payload)))
	}
	if got != code {
		c.t.Fatalf("closed with %d %q, want %d", got, payload[min(2, len(payload)):], code)
	}
	if _, _, err := c.next(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("after the close frame: %v, want the end", err)
	}
}

func dialTicker(t *testing.T) (*wsClient, *App) {
	t.Helper()
	a := newApp(t, Options{})
	a.tick = 5 * time.Millisecond
	srv := newServer(t, a)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return dialWS(t, conn), a
}

func closePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

func TestTickerWSTalks(t *testing.T) {
	c, _ := dialTicker(t)
	for n := 1; n <= 3; n++ {
		op, text, err := c.next()
		if err != nil || op != opText || text != fmt.Sprintf("tick %d 09:30:00", n) {
			t.Fatalf("%x %q %v", op, text, err)
		}
	}
	c.send(frame(0x80|opPing, []byte("are you there")))
	if op, payload := c.nextBesideTicks(); op != opPong || payload != "are you there" {
		t.Fatalf("%x %q, want the pong", op, payload)
	}
	c.send(frame(0x80|opPong, []byte("unasked")))
	c.send(frame(0x80|opText, []byte("こんにちは")))
	if op, payload := c.nextBesideTicks(); op != opText || payload != "echo こんにちは" {
		t.Fatalf("%x %q", op, payload)
	}
	// In pieces that cut a character, with a ping between them.
	word := []byte("あ!")
	c.send(frame(opText, word[:1]))
	c.send(frame(0x80|opPing, nil))
	c.send(frame(opContinuation, nil))
	c.send(frame(0x80|opContinuation, word[1:]))
	if op, _ := c.nextBesideTicks(); op != opPong {
		t.Fatalf("%x, want the pong", op)
	}
	if _, payload := c.nextBesideTicks(); payload != "echo あ!" {
		t.Fatalf("%q", payload)
	}
	for _, size := range []int{125, 126, 1 << 16} {
		c.send(frame(0x80|opText, []byte(strings.Repeat("x", size))))
		if _, payload := c.nextBesideTicks(); len(payload) != len("echo ")+size {
			t.Fatalf("%d bytes back for %d", len(payload), size)
		}
	}
	c.send(frame(0x80|opClose, closePayload(closeNormal, "bye")))
	c.wantClose(closeNormal)
}

func TestTickerWSRefusesBadFrames(t *testing.T) {
	unmasked := []byte{0x80 | opText, 1, 'a'}
	for _, c := range []struct {
		name string
		sent []byte
		code int
	}{
		{"close without code", frame(0x80|opClose, nil), closeNoStatus},
		{"own close code", frame(0x80|opClose, closePayload(4000, "")), 4000},
		{"half a close code", frame(0x80|opClose, []byte{3}), closeProtocol},
		{"reserved close code", frame(0x80|opClose, closePayload(closeNoStatus, "")), closeProtocol},
		{"close code out of range", frame(0x80|opClose, closePayload(2999, "")), closeProtocol},
		{"close reason not UTF-8", frame(0x80|opClose, closePayload(closeNormal, "\xff")), closeProtocol},
		{"unmasked", unmasked, closeProtocol},
		{"reserved bit", frame(0xC0|opText, []byte("a")), closeProtocol},
		{"unknown data opcode", frame(0x83, nil), closeProtocol},
		{"unknown control opcode", frame(0x8B, nil), closeProtocol},
		{"ping in pieces", frame(opPing, nil), closeProtocol},
		{"long ping", frame(0x80|opPing, make([]byte, 126)), closeProtocol},
		{"continuation of nothing", frame(0x80|opContinuation, nil), closeProtocol},
		{"text inside a text", append(frame(opText, nil), frame(opText, nil)...), closeProtocol},
		{"length not the shortest", []byte{0x81, 0x80 | 126, 0, 5}, closeProtocol},
		{"length not the shortest, 64 bits", []byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 1, 0}, closeProtocol},
		{"length negative", []byte{0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, closeProtocol},
		{"length of an exabyte", []byte{0x81, 0x80 | 127, 0x10, 0, 0, 0, 0, 0, 0, 0}, closeTooBig},
		{"too long", frame(0x81, make([]byte, maxMessageBytes+1)), closeTooBig},
		{"too long in pieces", append(frame(opText, make([]byte, maxMessageBytes)), frame(0x80, []byte("a"))...), closeTooBig},
		{"binary", frame(0x80|opBinary, []byte("a")), closeUnsupported},
		{"not UTF-8", frame(0x80|opText, []byte("\xc0\xaf")), closeInvalidData},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ws, _ := dialTicker(t)
			ws.send(c.sent)
			if half, ok := ws.conn.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			ws.wantClose(c.code)
		})
	}
}

func TestTickerWSRefusesBadHandshakes(t *testing.T) {
	good := map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	}
	for _, c := range []struct {
		method, header, value string
		status                int
	}{
		{"GET", "Connection", "keep-alive", http.StatusUpgradeRequired},
		{"GET", "Upgrade", "h2c", http.StatusUpgradeRequired},
		{"GET", "Sec-WebSocket-Version", "8", http.StatusUpgradeRequired},
		{"GET", "Sec-WebSocket-Key", "", http.StatusBadRequest},
		{"GET", "Sec-WebSocket-Key", "c2hvcnQ=", http.StatusBadRequest},
		{"GET", "Sec-WebSocket-Key", "***", http.StatusBadRequest},
		{"HEAD", "Upgrade", "websocket", http.StatusMethodNotAllowed},
		{"GET", "Upgrade", "websocket", http.StatusNotImplemented}, // a recorder cannot be taken over
	} {
		r := httptest.NewRequest(c.method, "/ticker/ws", nil)
		for name, value := range good {
			r.Header.Set(name, value)
		}
		r.Header.Set(c.header, c.value)
		w := serve(newApp(t, Options{}), r)
		if w.Code != c.status {
			t.Errorf("%s with %s %q: %d, want %d", c.method, c.header, c.value, w.Code, c.status)
		}
		if c.header == "Sec-WebSocket-Version" && w.Header().Get("Sec-WebSocket-Version") != "13" {
			t.Error("does not say which version it speaks")
		}
	}
}

func TestCloseSaysGoodbye(t *testing.T) {
	c, a := dialTicker(t)
	var closing sync.WaitGroup
	closing.Go(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	op, payload := c.nextBesideTicks()
	if op != opClose || payload != string(closePayload(closeGoingAway, "closing")) {
		t.Fatalf("%x %q", op, payload)
	}
	c.send(frame(0x80|opClose, closePayload(closeGoingAway, "")))
	if _, _, err := c.next(); !errors.Is(err, io.EOF) {
		t.Fatalf("%v, want the end", err)
	}
	closing.Wait()
}

// pipeServer serves a inside a synctest bubble, over connections without a kernel.
// When the bubble's function returns, synctest waits for every goroutine to end:
// one that Close forgot fails the test.
func pipeServer(t *testing.T, a *App) (dial func() net.Conn, stop func()) {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: a}
	go func() { _ = srv.Serve(l) }()
	dial = func() net.Conn {
		client, server := net.Pipe()
		l.conns <- server
		return client
	}
	return dial, func() { _ = srv.Close() }
}

type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func TestTickerWSTicksOnceASecondUntilClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(nil, Options{})
		dial, stop := pipeServer(t, a)
		c := dialWS(t, dial())
		start := time.Now()
		for n := 1; n <= 5; n++ {
			_, text, err := c.next()
			if err != nil || !strings.HasPrefix(text, fmt.Sprintf("tick %d ", n)) {
				t.Fatalf("%q %v", text, err)
			}
			if since := time.Since(start); since != time.Duration(n-1)*time.Second {
				t.Errorf("tick %d after %v", n, since)
			}
		}
		// The client neither reads the goodbye nor answers it.
		start = time.Now()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > closeGrace {
			t.Errorf("Close took %v", took)
		}
		stop()
	})
}

func TestTickerWSDropsAClientThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(nil, Options{})
		dial, stop := pipeServer(t, a)
		c := dialWS(t, dial())
		<-time.After(writeTimeout + 2*time.Second)
		synctest.Wait()
		if _, _, err := c.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%v, want the end", err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		stop()
	})
}

func TestTickerEventsTickOnceASecondUntilClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(nil, Options{})
		dial, stop := pipeServer(t, a)
		conn := dial()
		defer conn.Close()
		fmt.Fprint(conn, "GET /ticker/events HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
			t.Errorf("Content-Type = %q", ct)
		}
		lines := bufio.NewScanner(resp.Body)
		start := time.Now()
		for n := 1; n <= 3; n++ {
			for _, want := range []string{fmt.Sprintf("id: %d", n), "event: tick", fmt.Sprintf("data: tick %d ", n), ""} {
				if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
					t.Fatalf("%q %v, want %q", lines.Text(), lines.Err(), want)
				}
			}
			if since := time.Since(start); since != time.Duration(n-1)*time.Second {
				t.Errorf("event %d after %v", n, since)
			}
		}
		var closing sync.WaitGroup
		closing.Go(func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
		if lines.Scan() || lines.Err() != nil {
			t.Errorf("%q %v, want a clean end", lines.Text(), lines.Err())
		}
		closing.Wait()
		stop()
	})
}

func TestTickerEventsEndWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(nil, Options{})
		dial, stop := pipeServer(t, a)
		conn := dial()
		fmt.Fprint(conn, "GET /ticker/events HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		synctest.Wait()
		a.running.Wait() // blocks for ever, and fails the bubble, if the handler is still there
		stop()
		_ = a.Close()
	})
}

func TestTickerPageAndHead(t *testing.T) {
	a := newApp(t, Options{})
	wantContains(t, get(a, "/ticker").Body.String(), `"/ticker/ws"`, `new EventSource("/ticker/events")`)
	w := serve(a, httptest.NewRequest(http.MethodHead, "/ticker/events", nil))
	wantStatus(t, w, http.StatusOK)
}

func FuzzReadMessage(f *testing.F) {
	f.Add(frame(0x81, []byte("hello")))
	f.Add(frame(0x88, closePayload(1000, "x")))
	f.Add(append(frame(0x01, []byte("a")), frame(0x80, []byte("b"))...))
	f.Fuzz(func(t *testing.T, sent []byte) {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		c := &wsConn{conn: server, br: bufio.NewReader(strings.NewReader(string(sent)))}
		for {
			message, err := c.readMessage()
			if err != nil {
				return
			}
			if len(message) > maxMessageBytes {
				t.Fatalf("%d bytes", len(message))
			}
		}
	})
}
