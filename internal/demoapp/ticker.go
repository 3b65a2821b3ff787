package demoapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// tickerPage shows both tickers.
func (a *App) tickerPage(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	a.render(w, r, http.StatusOK, "ticker", "Ticker", nil)
}

// tickText is the n-th line of a ticker.
func (a *App) tickText(n int) string {
	return fmt.Sprintf("tick %d %s", n, a.now().Format("15:04:05"))
}

// tickerWS sends a text message at once and then every second, and "echo " plus
// the message for each one it receives. It looks at no origin: an app of 2006.
func (a *App) tickerWS(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrade(w, r)
	if err != nil {
		a.log.DebugContext(r.Context(), "demo app refused a WebSocket", "error", err)
		return
	}
	defer a.dropOnClose(ws.conn)()

	received := make(chan error, 1)
	go func() { received <- ws.echoMessages() }()
	ended, err := a.sendTicks(ws, received)
	if !ended {
		if err == nil { // Close was called: say so, and wait for the answer below
			err = ws.sendClose(closeGoingAway, "closing")
		}
		if err != nil {
			_ = ws.conn.Close() // ends the reader
		}
		err = errors.Join(err, <-received)
	}
	ws.finish(err)
	a.log.DebugContext(r.Context(), "demo app ended a WebSocket", "error", err)
}

// dropOnClose closes conn a moment after Close was called, so that a client which
// reads nothing, or does not answer our close frame, cannot hold Close up. The
// handler defers the function it returns.
func (a *App) dropOnClose(conn net.Conn) (release func()) {
	gone := make(chan struct{})
	stop := context.AfterFunc(a.ctx, func() {
		timer := time.NewTimer(closeGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = conn.Close()
		case <-gone:
		}
	})
	return func() {
		stop()
		close(gone)
	}
}

// sendTicks writes until Close (nil), until a write fails, or until the reader
// ends; ended says that it was the reader.
func (a *App) sendTicks(ws *wsConn, received <-chan error) (ended bool, err error) {
	ticker := time.NewTicker(a.tick)
	defer ticker.Stop()
	for n := 1; ; n++ {
		if err := ws.send(opText, []byte(a.tickText(n))); err != nil && !errors.Is(err, errCloseSent) {
			return false, err
		}
		select {
		case <-ticker.C:
		case err := <-received:
			return true, err
		case <-a.ctx.Done():
			return false, nil
		}
	}
}

// echoMessages reads until the connection ends, and says why.
func (c *wsConn) echoMessages() error {
	for {
		message, err := c.readMessage()
		if err != nil {
			return err
		}
		err = c.send(opText, append([]byte("echo "), message...))
		if err != nil && !errors.Is(err, errCloseSent) {
			return err
		}
	}
}

// finish tells the peer about its fault, if it was one, and closes. What the peer
// is still sending is read for a moment: closing on unread data resets the
// connection, and the close frame would be lost.
func (c *wsConn) finish(err error) {
	defer c.conn.Close()
	var fault *wsCloseError
	if !errors.As(err, &fault) || fault.FromPeer {
		return
	}
	if c.sendClose(fault.Code, fault.Reason) != nil {
		return
	}
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	if c.conn.SetReadDeadline(time.Now().Add(closeGrace)) == nil {
		_, _ = io.CopyN(io.Discard, c.br, 16*maxMessageBytes)
	}
}

// tickerEvents is the same ticker as server-sent events.
func (a *App) tickerEvents(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	rc := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	ticker := time.NewTicker(a.tick)
	defer ticker.Stop()
	for n := 1; ; n++ {
		// Instead of the server's time-out for the whole answer, one for each event.
		if err := rc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return
		}
		if a.ctx.Err() != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "id: %d\nevent: tick\ndata: %s\n\n", n, a.tickText(n)); err != nil {
			return
		}
		if err := rc.Flush(); err != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-a.ctx.Done():
			return
		}
	}
}
