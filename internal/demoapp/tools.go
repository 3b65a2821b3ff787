package demoapp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultSlow = 1000
	maxSlow     = 30000
)

type headerLine struct{ Name, Value string }

// headers shows the request's headers as they arrived; with format=json as
// {"headers": {"Name": "value, value2"}}. Host is among them.
func (a *App) headers(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	received := map[string]string{"Host": r.Host}
	for name, values := range r.Header {
		received[name] = strings.Join(values, ", ")
	}
	switch format := r.URL.Query().Get("format"); format {
	case "":
		lines := make([]headerLine, 0, len(received))
		for _, name := range slices.Sorted(maps.Keys(received)) {
			lines = append(lines, headerLine{name, strings.ToValidUTF8(received[name], "\uFFFD")})
		}
		a.render(w, r, http.StatusOK, "headers", "Request headers", lines)
	case "json":
		a.writeJSON(w, r, map[string]any{"headers": received})
	default:
		a.fail(w, r, http.StatusBadRequest, "There is no such format: only format=json.", nil)
	}
}

// slow answers after ms milliseconds, at most maxSlow.
func (a *App) slow(w http.ResponseWriter, r *http.Request) {
	ms := uint64(defaultSlow)
	if query := r.URL.Query(); query.Has("ms") {
		var err error
		ms, err = strconv.ParseUint(query.Get("ms"), 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range is bounded below
			http.Error(w, "ms must be a number of milliseconds, such as /slow?ms=500.", http.StatusBadRequest)
			return
		}
	}
	ms = min(ms, maxSlow)
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintf(w, "Waited %d ms.\n", ms)
	case <-a.ctx.Done():
		http.Error(w, "The time sheet is closing.", http.StatusServiceUnavailable)
	case <-r.Context().Done():
	}
}

// echo answers the length and SHA-256 of the request body as
// {"length": 3, "sha256": "ba78…"}. A body of any size streams through.
func (a *App) echo(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	hash := sha256.New()
	n, err := io.Copy(hash, r.Body)
	if err != nil {
		a.log.WarnContext(r.Context(), "demo app cannot read a body", "bytes", n, "error", err)
		http.Error(w, "The body could not be read to its end.", http.StatusBadRequest)
		return
	}
	a.writeJSON(w, r, struct {
		Length int64  `json:"length"`
		SHA256 string `json:"sha256"`
	}{n, hex.EncodeToString(hash.Sum(nil))})
}

// writeJSON answers 200 with v.
func (a *App) writeJSON(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.log.ErrorContext(r.Context(), "demo app cannot encode an answer", "error", err)
		http.Error(w, "This cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to tell
}
