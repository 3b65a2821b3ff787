// Package demoapp is the small protected app behind `sallyport demo`: a time
// sheet as companies wrote them in 2006, with tables, grey bevels, a form that
// posts, file upload and download, a WebSocket ticker, server-sent events and a
// page that prints the headers it received.
//
// It plays the part of a legacy app that nobody may change. It knows nothing of
// signing in: it believes the X-Sallyport-* headers of whoever connects, checks
// no origin and has no CSRF tokens. So it must listen on a loopback address with
// the gateway in front, and never anywhere else.
//
// Entries and the list of files live in memory; the files themselves lie in
// Options.Dir until Close.
package demoapp

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

//go:embed templates/*.html static/style.css static/favicon.ico
var embedded embed.FS // read-only by its type

const (
	defaultMaxUploads     = 40
	defaultMaxUploadBytes = 32 << 20

	// closeGrace is how long a response may still be written once Close was called.
	closeGrace = time.Second
)

// Options says where uploads go and how much of them there may be.
type Options struct {
	// Dir is the folder for uploaded files. It is made with mode 0700 at the
	// first upload if it is missing. Empty: uploads are refused with 503.
	Dir string

	// Now tells the time for entries, files and tickers, in the zone that the
	// pages show. Nil: time.Now.
	Now func() time.Time

	// MaxUploads is how many files are kept at once; further ones are refused
	// with 507. Zero: 40.
	MaxUploads int

	// MaxUploadBytes is the largest size of one file, in bytes, and (give or take
	// 1 MiB) of all files of one form; more is refused with 413. Zero: 32 MiB.
	MaxUploadBytes int64
}

// App is the demo app. Make it with New, serve it as an http.Handler over
// HTTP/1.1 (WebSockets need it), and end it with Close.
type App struct {
	log   *slog.Logger
	now   func() time.Time
	tick  time.Duration // between two ticks of the ticker
	pages map[string]*template.Template
	mux   *http.ServeMux
	sheet *sheet
	files *fileStore

	// ctx ends when Close is called; every handler that may last watches it.
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex // guards closed, and running.Add against running.Wait
	closed bool
	// running counts the requests being answered.
	running sync.WaitGroup
}

// New returns an app with a few sample entries. It starts nothing and touches no
// file. A nil log discards.
func New(log *slog.Logger, opts Options) *App {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxUploads == 0 {
		opts.MaxUploads = defaultMaxUploads
	}
	if opts.MaxUploadBytes == 0 {
		opts.MaxUploadBytes = defaultMaxUploadBytes
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &App{
		log:    log,
		now:    opts.Now,
		tick:   time.Second,
		pages:  parsePages("list", "entry", "upload", "ticker", "headers", "message"),
		mux:    http.NewServeMux(),
		sheet:  newSheet(opts.Now()),
		files:  newFileStore(opts.Dir, opts.MaxUploads, opts.MaxUploadBytes),
		ctx:    ctx,
		cancel: cancel,
	}
	a.mount()
	return a
}

func (a *App) mount() {
	a.mux.HandleFunc("GET /{$}", a.list)
	a.mux.HandleFunc("GET /entry", a.entryForm)
	a.mux.HandleFunc("POST /entry", a.entryPost)
	a.mux.HandleFunc("GET /upload", a.uploadForm)
	a.mux.HandleFunc("POST /upload", a.uploadPost)
	a.mux.HandleFunc("GET /download/{name}", a.download)
	a.mux.HandleFunc("GET /ticker", a.tickerPage)
	a.mux.HandleFunc("GET /ticker/ws", a.tickerWS)
	a.mux.HandleFunc("GET /ticker/events", a.tickerEvents)
	a.mux.HandleFunc("GET /headers", a.headers)
	a.mux.HandleFunc("GET /slow", a.slow)
	a.mux.HandleFunc("POST /echo", a.echo)
	a.mux.HandleFunc("GET /favicon.ico", asset("static/favicon.ico", "image/x-icon"))
	a.mux.HandleFunc("GET /static/style.css", asset("static/style.css", "text/css; charset=utf-8"))
}

// ServeHTTP answers one request; after Close it answers 503.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.begin() {
		w.Header().Set("Connection", "close")
		http.Error(w, "The time sheet is closed.", http.StatusServiceUnavailable)
		return
	}
	defer a.running.Done()
	a.mux.ServeHTTP(w, r)
}

// Close ends the tickers and whatever else is being answered, waits until every
// handler has returned, and removes the uploaded files. Call it before (or, by
// RegisterOnShutdown, together with) the Shutdown of the http.Server, which waits
// for event streams and forgets WebSockets. Calling it again does nothing.
func (a *App) Close() error {
	a.mu.Lock()
	first := !a.closed
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	a.running.Wait()
	if !first {
		return nil
	}
	if err := a.files.removeAll(); err != nil {
		return fmt.Errorf("demoapp: close: %w", err)
	}
	return nil
}

// begin counts a request in, unless the app is closed.
func (a *App) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.running.Add(1)
	return true
}

// cutOnClose makes Close interrupt a read of the request body or a write of the
// answer that a slow client would hold up. The handler defers the function it
// returns. Where the connection knows no deadlines there is nothing to cut.
func (a *App) cutOnClose(w http.ResponseWriter) (release func()) {
	rc := http.NewResponseController(w)
	done := make(chan struct{})
	stop := context.AfterFunc(a.ctx, func() {
		defer close(done)
		_ = rc.SetReadDeadline(time.Unix(1, 0))
		_ = rc.SetWriteDeadline(time.Now().Add(closeGrace))
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// view is what every page gets; Data is the page's own.
type view struct {
	Title string
	User  visitor
	Data  any
}

// render writes a page, whole or not at all.
func (a *App) render(w http.ResponseWriter, r *http.Request, status int, page, title string, data any) {
	var buf bytes.Buffer
	v := view{Title: title, User: visitorOf(r), Data: data}
	if err := a.pages[page].ExecuteTemplate(&buf, "layout", v); err != nil {
		a.log.ErrorContext(r.Context(), "demo app cannot render a page", "page", page, "error", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // the client is gone: nobody is left to tell
}

// fail shows a plain sentence to the user and writes the cause, if any, to the log.
func (a *App) fail(w http.ResponseWriter, r *http.Request, status int, message string, cause error) {
	if cause != nil {
		a.log.WarnContext(r.Context(), "demo app refused a request",
			"path", r.URL.Path, "status", status, "error", cause)
	}
	a.render(w, r, status, "message", http.StatusText(status), message)
}

// tooLarge reports whether err comes from http.MaxBytesReader.
func tooLarge(err error) bool {
	var max *http.MaxBytesError
	return errors.As(err, &max)
}

func parsePages(names ...string) map[string]*template.Template {
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		t := template.New(name).Funcs(template.FuncMap{"pathSegment": url.PathEscape})
		pages[name] = template.Must(t.ParseFS(embedded, "templates/layout.html", "templates/"+name+".html"))
	}
	return pages
}

// asset serves one embedded file that needs no user.
func asset(path, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "public, max-age=3600")
		http.ServeFileFS(w, r, embedded, path)
	}
}
