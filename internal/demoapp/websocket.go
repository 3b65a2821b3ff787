package demoapp

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// The server side of RFC 6455, as much as the ticker needs: no extensions, no
// subprotocols, no fragments sent.

const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	closeNormal      = 1000
	closeGoingAway   = 1001
	closeProtocol    = 1002
	closeUnsupported = 1003
	closeNoStatus    = 1005 // never sent: the peer's close frame had no code
	closeInvalidData = 1007
	closeTooBig      = 1009

	maxMessageBytes = 64 << 10
	maxControlBytes = 125
	writeTimeout    = 10 * time.Second
)

// errCloseSent says that our close frame is out, after which nothing may follow.
var errCloseSent = errors.New("websocket: close already sent")

// wsCloseError ends a connection. Where the peer has sent a close frame, Code is
// what it sent; otherwise Code is what we tell the peer about its fault.
type wsCloseError struct {
	Code     int
	Reason   string
	FromPeer bool
}

func (e *wsCloseError) Error() string {
	return fmt.Sprintf("websocket: close %d %s", e.Code, e.Reason)
}

func wsFault(code int, reason string) error {
	return &wsCloseError{Code: code, Reason: reason}
}

// wsConn is an open WebSocket. One goroutine may read while others write.
type wsConn struct {
	conn net.Conn
	br   *bufio.Reader

	wmu       sync.Mutex
	closeSent bool
}

// upgrade answers the handshake and takes the connection over. Where it returns an
// error, it has answered the request.
func upgrade(w http.ResponseWriter, r *http.Request) (*wsConn, error) {
	refuse := func(status int, message string) (*wsConn, error) {
		http.Error(w, message, status)
		return nil, fmt.Errorf("websocket: handshake: %s", message)
	}
	if r.Method != http.MethodGet { // the mux lets HEAD through to GET handlers
		w.Header().Set("Allow", http.MethodGet)
		return refuse(http.StatusMethodNotAllowed, "A WebSocket begins with GET.")
	}
	if !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket") {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		return refuse(http.StatusUpgradeRequired, "This address speaks WebSocket only.")
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13")
		return refuse(http.StatusUpgradeRequired, "Only WebSocket version 13 is spoken here.")
	}
	key := strings.TrimSpace(r.Header.Get("Sec-WebSocket-Key"))
	if nonce, err := base64.StdEncoding.DecodeString(key); err != nil || len(nonce) != 16 {
		return refuse(http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64.")
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "This connection cannot carry a WebSocket.", http.StatusNotImplemented)
		return nil, fmt.Errorf("websocket: take over connection: %w", err)
	}
	c := &wsConn{conn: conn, br: buf.Reader}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + acceptKey(key) + "\r\n\r\n"
	if err := c.write([]byte(answer)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// acceptKey proves to the client that we understood its key (RFC 6455 section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// hasToken reports whether a comma-separated header holds token, in any case.
func hasToken(h http.Header, name, token string) bool {
	for _, value := range h.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

func (c *wsConn) write(b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("websocket: %w", err)
	}
	if _, err := c.conn.Write(b); err != nil {
		return fmt.Errorf("websocket: write: %w", err)
	}
	return nil
}

// send writes one unfragmented frame; after a close frame it returns errCloseSent.
func (c *wsConn) send(op byte, payload []byte) error {
	frame := []byte{0x80 | op}
	switch n := len(payload); {
	case n <= maxControlBytes:
		frame = append(frame, byte(n))
	case n <= 0xFFFF:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n))
	}
	frame = append(frame, payload...)

	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.closeSent {
		return errCloseSent
	}
	c.closeSent = op == opClose
	return c.write(frame)
}

// sendClose says goodbye; closeNoStatus makes a frame without a code.
func (c *wsConn) sendClose(code int, reason string) error {
	if code == closeNoStatus {
		return c.send(opClose, nil)
	}
	return c.send(opClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// readMessage returns the next text message, joined from its fragments. Pings are
// answered on the way. Its error is a *wsCloseError where the peer closed (its
// close frame is then answered) or broke the protocol (not yet answered).
func (c *wsConn) readMessage() ([]byte, error) {
	var message []byte
	started := false
	for {
		f, err := c.readFrame(maxMessageBytes - len(message))
		if err != nil {
			return nil, err
		}
		switch f.op {
		case opPing:
			if err := c.send(opPong, f.payload); err != nil && !errors.Is(err, errCloseSent) {
				return nil, err
			}
			continue
		case opPong:
			continue
		case opClose:
			return nil, c.answerClose(f.payload)
		case opBinary:
			return nil, wsFault(closeUnsupported, "text only")
		case opText:
			if started {
				return nil, wsFault(closeProtocol, "message inside a message")
			}
			started = true
		case opContinuation:
			if !started {
				return nil, wsFault(closeProtocol, "continuation of nothing")
			}
		}
		message = append(message, f.payload...)
		if f.fin {
			if !utf8.Valid(message) {
				return nil, wsFault(closeInvalidData, "not UTF-8")
			}
			return message, nil
		}
	}
}

// answerClose sends the peer's code back and returns it as the error. A malformed
// close frame is a fault.
func (c *wsConn) answerClose(payload []byte) error {
	code, reason := closeNoStatus, ""
	if len(payload) > 0 {
		if len(payload) == 1 {
			return wsFault(closeProtocol, "short close code")
		}
		code, reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
		defined := code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006
		if !defined && (code < 3000 || code > 4999) {
			return wsFault(closeProtocol, "bad close code")
		}
		if !utf8.ValidString(reason) {
			return wsFault(closeProtocol, "close reason is not UTF-8")
		}
	}
	if err := c.sendClose(code, ""); err != nil && !errors.Is(err, errCloseSent) {
		return err
	}
	return &wsCloseError{Code: code, Reason: reason, FromPeer: true}
}

type wsFrame struct {
	fin     bool
	op      byte
	payload []byte
}

// readFrame reads a client's frame with at most limit bytes of data. It checks the
// length before it reserves memory for it.
func (c *wsConn) readFrame(limit int) (wsFrame, error) {
	var head [8]byte
	if err := c.readFull(head[:2]); err != nil {
		return wsFrame{}, err
	}
	f := wsFrame{fin: head[0]&0x80 != 0, op: head[0] & 0x0F}
	control := f.op >= opClose
	length := uint64(head[1] & 0x7F)
	switch {
	case head[0]&0x70 != 0:
		return f, wsFault(closeProtocol, "reserved bits set")
	case f.op > opBinary && f.op < opClose, f.op > opPong:
		return f, wsFault(closeProtocol, "unknown opcode")
	case head[1]&0x80 == 0:
		return f, wsFault(closeProtocol, "frame is not masked")
	case control && (!f.fin || length > maxControlBytes):
		return f, wsFault(closeProtocol, "control frame too long or in pieces")
	}
	switch length {
	case 126:
		if err := c.readFull(head[:2]); err != nil {
			return f, err
		}
		if length = uint64(binary.BigEndian.Uint16(head[:2])); length < 126 {
			return f, wsFault(closeProtocol, "length is not the shortest")
		}
	case 127:
		if err := c.readFull(head[:8]); err != nil {
			return f, err
		}
		if length = binary.BigEndian.Uint64(head[:8]); length <= 0xFFFF || length>>63 != 0 {
			return f, wsFault(closeProtocol, "bad length")
		}
	}
	if !control && length > uint64(limit) {
		return f, wsFault(closeTooBig, "message too large")
	}
	var mask [4]byte
	if err := c.readFull(mask[:]); err != nil {
		return f, err
	}
	f.payload = make([]byte, length)
	if err := c.readFull(f.payload); err != nil {
		return f, err
	}
	for i := range f.payload {
		f.payload[i] ^= mask[i%4]
	}
	return f, nil
}

func (c *wsConn) readFull(b []byte) error {
	if _, err := io.ReadFull(c.br, b); err != nil {
		return fmt.Errorf("websocket: read: %w", err)
	}
	return nil
}
