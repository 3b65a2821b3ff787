package demoapp

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func fixedNow() time.Time { return time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC) }

func newApp(t *testing.T, opts Options) *App {
	t.Helper()
	if opts.Now == nil {
		opts.Now = fixedNow
	}
	if opts.Dir == "" {
		opts.Dir = filepath.Join(t.TempDir(), "uploads")
	}
	a := New(nil, opts)
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return a
}

// newServer serves a over a real connection and closes a before the server.
func newServer(t *testing.T, a *App) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { _ = a.Close() })
	return srv
}

func serve(a *App, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func get(a *App, target string) *httptest.ResponseRecorder {
	return serve(a, httptest.NewRequest(http.MethodGet, target, nil))
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status = %d, want %d; body:\n%s", w.Code, status, w.Body)
	}
}

func wantContains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("missing %q in:\n%s", part, text)
		}
	}
}

func TestEveryPageShowsWhoIsThere(t *testing.T) {
	a := newApp(t, Options{})
	for _, page := range []string{"/", "/entry", "/upload", "/ticker", "/headers", "/download/none", "/?page=x"} {
		t.Run(page, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, page, nil)
			r.Header.Set("X-Sallyport-User", "u<1>")
			r.Header.Set("X-Sallyport-Name", "山田 太郎")
			r.Header.Set("X-Sallyport-Email", "taro@example.com")
			r.Header.Set("X-Sallyport-Groups", "Staff, Sales%2C East,100%")
			body := serve(a, r).Body.String()
			wantContains(t, body, `You are signed in as <b id="user">山田 太郎</b> (u&lt;1&gt;)`,
				"taro@example.com", "Staff; Sales, East; 100%")
			if strings.Contains(body, "Nobody is signed in") {
				t.Error("shows the note although the header is there")
			}
			if strings.Contains(body, ".sallyport") {
				t.Error("a legacy app knows no page of the gateway")
			}

			wantContains(t, get(a, page).Body.String(), "Nobody is signed in", "X-Sallyport-User")
		})
	}
}

func TestListPages(t *testing.T) {
	a := newApp(t, Options{})
	for _, c := range []struct {
		target, want string
	}{
		{"/", "Page 1 of 3 (23 entries)"},
		{"/?page=2", "Page 2 of 3"},
		{"/?page=3", "Page 3 of 3"},
		{"/?page=99", "Page 3 of 3"},
		{"/?page=-4", "Page 1 of 3"},
	} {
		w := get(a, c.target)
		wantStatus(t, w, http.StatusOK)
		wantContains(t, w.Body.String(), c.want)
	}
	first := get(a, "/").Body.String()
	wantContains(t, first, `<td class="num">23</td>`, `<td class="num">14</td>`, `href="/?page=2"`)
	if strings.Contains(first, `<td class="num">13</td><td class="date">`) || strings.Contains(first, "Previous") {
		t.Error("page 1 shows more than its entries")
	}
	last := get(a, "/?page=3").Body.String()
	wantContains(t, last, `<td class="num">1</td><td class="date">`, `href="/?page=2"`)
	if strings.Contains(last, "Next") {
		t.Error("the last page has a next page")
	}
	for _, bad := range []string{"/?page=", "/?page=x", "/?page=99999999999999999999"} {
		wantStatus(t, get(a, bad), http.StatusBadRequest)
	}
}

func postEntry(a *App, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/entry", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Sallyport-User", "erika")
	return serve(a, r)
}

func TestEntryIsStoredAndRedirects(t *testing.T) {
	a := newApp(t, Options{})
	wantContains(t, get(a, "/entry").Body.String(), `value="2026-11-22"`, "<option>Training</option>")
	w := postEntry(a, url.Values{"date": {"2026-11-20"}, "project": {"Training"}, "hours": {"7,25"},
		"note": {"<script>alert(1)</script> 研修"}})
	wantStatus(t, w, http.StatusSeeOther)
	if got := w.Header().Get("Location"); got != "/?saved=1" {
		t.Fatalf("Location = %q", got)
	}
	wantContains(t, get(a, "/?saved=1").Body.String(), "Your entry has been saved", "Page 1 of 3 (24 entries)",
		`<td class="date">2026-11-20</td><td>erika</td><td>Training</td><td class="num">7.25</td>`,
		"&lt;script&gt;alert(1)&lt;/script&gt; 研修")
}

func TestEntryIsChecked(t *testing.T) {
	good := url.Values{"date": {"2026-11-20"}, "project": {"Training"}, "hours": {"7.5"}, "note": {"n"}}
	for _, c := range []struct {
		name, field, value string
		ok                 bool
	}{
		{"no date", "date", "", false},
		{"no such day", "date", "2026-02-30", false},
		{"other layout", "date", "20.11.2026", false},
		{"too old", "date", "1999-12-31", false},
		{"oldest", "date", "2000-01-01", true},
		{"latest", "date", "2027-11-22", true},
		{"too late", "date", "2027-11-23", false},
		{"no project", "project", "", false},
		{"foreign project", "project", "Heist", false},
		{"zero", "hours", "0", false},
		{"smallest", "hours", "0.25", true},
		{"largest", "hours", "24", true},
		{"over a day", "hours", "24.25", false},
		{"negative", "hours", "-1", false},
		{"signed", "hours", "+1", false},
		{"exponent", "hours", "1e1", false},
		{"not a number", "hours", "NaN", false},
		{"odd step", "hours", "1.1", false},
		{"huge", "hours", strings.Repeat("9", 400), false},
		{"fraction alone", "hours", ".5", false},
		{"two points", "hours", "1.5.0", false},
		{"empty note", "note", "", true},
		{"longest note", "note", strings.Repeat("あ", 500), true},
		{"long note", "note", strings.Repeat("あ", 501), false},
		{"NUL", "note", "a\x00b", false},
		{"not UTF-8", "note", "\xff\xfe", false},
		{"lines", "note", "a\r\n\tb", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newApp(t, Options{})
			form := url.Values{}
			for k, v := range good {
				form[k] = v
			}
			form.Set(c.field, c.value)
			w := postEntry(a, form)
			if c.ok {
				wantStatus(t, w, http.StatusSeeOther)
				return
			}
			wantStatus(t, w, http.StatusUnprocessableEntity)
			wantContains(t, w.Body.String(), `id="`+c.field+`-error"`, "Nothing was saved")
			wantContains(t, get(a, "/").Body.String(), "(23 entries)")
		})
	}
}

func TestEntryBadBodies(t *testing.T) {
	a := newApp(t, Options{})
	post := func(contentType, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/entry", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		return serve(a, r)
	}
	const form = "application/x-www-form-urlencoded"
	wantStatus(t, post(form, "note="+strings.Repeat("x", maxFormBytes)), http.StatusRequestEntityTooLarge)
	wantStatus(t, post(form, "date=%zz"), http.StatusBadRequest)
	wantStatus(t, post("text/plain", "date=2026-11-20"), http.StatusUnprocessableEntity)
	wantStatus(t, post(form, ""), http.StatusUnprocessableEntity)
}

func TestEntriesAreBounded(t *testing.T) {
	a := newApp(t, Options{})
	form := url.Values{"date": {"2026-11-20"}, "project": {"Training"}, "hours": {"1"}}
	for range maxEntries - sampleEntries {
		wantStatus(t, postEntry(a, form), http.StatusSeeOther)
	}
	wantStatus(t, postEntry(a, form), http.StatusInsufficientStorage)
}

func TestConcurrentEntries(t *testing.T) {
	a := newApp(t, Options{})
	const people, each = 20, 10
	var wg sync.WaitGroup
	for p := range people {
		wg.Go(func() {
			for i := range each {
				w := postEntry(a, url.Values{"date": {"2026-11-20"}, "project": {"Training"}, "hours": {"1"},
					"note": {fmt.Sprintf("unique %d-%d.", p, i)}})
				if w.Code != http.StatusSeeOther {
					t.Errorf("status = %d", w.Code)
				}
				get(a, "/?page=2")
			}
		})
	}
	wg.Wait()
	entries, _, _, total := a.sheet.page(1, maxEntries)
	if total != sampleEntries+people*each {
		t.Fatalf("%d entries, want %d", total, sampleEntries+people*each)
	}
	ids, notes := map[int]bool{}, map[string]bool{}
	for _, e := range entries {
		ids[e.ID] = true
		notes[e.Note] = true
	}
	if len(ids) != total || len(notes) != people*each+1 {
		t.Errorf("%d IDs and %d notes of %d entries", len(ids), len(notes), total)
	}
}

func TestHeaders(t *testing.T) {
	srv := newServer(t, newApp(t, Options{}))
	ask := func(target string) (string, *http.Response) {
		req, err := http.NewRequest(http.MethodGet, srv.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "timesheet.localhost:8443"
		req.Header.Add("X-Two", "a")
		req.Header.Add("X-Two", "b<i>")
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body), resp
	}
	body, _ := ask("/headers")
	wantContains(t, body, "<td>Host</td>", "timesheet.localhost:8443", "a, b&lt;i&gt;")

	body, resp := ask("/headers?format=json")
	if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type = %q", ct)
	}
	var got struct{ Headers map[string]string }
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Headers["X-Two"] != "a, b<i>" || got.Headers["Host"] != "timesheet.localhost:8443" {
		t.Errorf("headers = %v", got.Headers)
	}
	if _, resp = ask("/headers?format=xml"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("format=xml: status = %d", resp.StatusCode)
	}
}

func TestSlowTakesItsTimeAndNoMore(t *testing.T) {
	for _, c := range []struct {
		query  string
		status int
		takes  time.Duration
	}{
		{"?ms=0", 200, 0},
		{"?ms=250", 200, 250 * time.Millisecond},
		{"", 200, time.Second},
		{"?ms=30001", 200, 30 * time.Second},
		{"?ms=99999999999999999999999", 200, 30 * time.Second},
		{"?ms=-1", 400, 0},
		{"?ms=", 400, 0},
		{"?ms=1e3", 400, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := New(nil, Options{})
			start := time.Now()
			w := get(a, "/slow"+c.query)
			if w.Code != c.status || time.Since(start) != c.takes {
				t.Errorf("%s: %d after %v, want %d after %v", c.query, w.Code, time.Since(start), c.status, c.takes)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEchoStreamsTheBody(t *testing.T) {
	srv := newServer(t, newApp(t, Options{}))
	const size = 20 << 20
	hash := sha256.New()
	body := io.TeeReader(io.LimitReader(zeros{}, size), hash) // no length: chunked
	resp, err := srv.Client().Post(srv.URL+"/echo", "application/octet-stream", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		Length int64
		SHA256 string
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Length != size || got.SHA256 != hex.EncodeToString(hash.Sum(nil)) {
		t.Errorf("echo = %+v", got)
	}
	w := serve(newApp(t, Options{}), httptest.NewRequest(http.MethodPost, "/echo", iotestErr{}))
	wantStatus(t, w, http.StatusBadRequest)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAssetsAndUnknownPages(t *testing.T) {
	a := newApp(t, Options{})
	for path, contentType := range map[string]string{
		"/favicon.ico":      "image/x-icon",
		"/static/style.css": "text/css; charset=utf-8",
	} {
		w := get(a, path)
		wantStatus(t, w, http.StatusOK)
		if got := w.Header().Get("Content-Type"); got != contentType || w.Body.Len() == 0 {
			t.Errorf("%s: %q, %d bytes", path, got, w.Body.Len())
		}
	}
	wantStatus(t, get(a, "/static/"), http.StatusNotFound)
	wantStatus(t, get(a, "/templates/layout.html"), http.StatusNotFound)
	wantStatus(t, get(a, "/nope"), http.StatusNotFound)
	wantStatus(t, get(a, "/echo"), http.StatusMethodNotAllowed)
	wantStatus(t, serve(a, httptest.NewRequest(http.MethodDelete, "/entry", nil)), http.StatusMethodNotAllowed)
}

func TestClosedAppAnswers503(t *testing.T) {
	a := newApp(t, Options{})
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus(t, get(a, "/"), http.StatusServiceUnavailable)
}

// TestCloseEndsWhatHangs opens every kind of request that lasts, on clients that
// do nothing more, and wants Close to return and each client to see an end.
func TestCloseEndsWhatHangs(t *testing.T) {
	a := newApp(t, Options{})
	srv := newServer(t, a)
	form := "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 999\r\n\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhalf"
	requests := []string{
		"GET /slow?ms=30000 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /ticker/events HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /ticker/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
		"POST /entry HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\nhalf",
		form,
	}
	started := make(chan struct{}, len(requests))
	inner := srv.Config.Handler
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		inner.ServeHTTP(w, r)
	})
	var ends sync.WaitGroup
	for _, request := range requests {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		<-started
		ends.Go(func() {
			_, _ = io.Copy(io.Discard, bufio.NewReader(conn))
		})
	}
	begun := time.Now()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	srv.Config.SetKeepAlivesEnabled(false)
	srv.CloseClientConnections()
	ends.Wait()
	left, err := os.ReadDir(a.files.dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("%d files left behind", len(left))
	}
}

func TestDownloadNamesInHeader(t *testing.T) {
	for name, want := range map[string]string{
		"report.pdf":    `attachment; filename="report.pdf"`,
		"two words.txt": `attachment; filename="two words.txt"`,
		"勤務表.xlsx":      `attachment; filename="___.xlsx"; filename*=UTF-8''%E5%8B%A4%E5%8B%99%E8%A1%A8.xlsx`,
		`a"b\c.txt`:     `attachment; filename="a_b_c.txt"; filename*=UTF-8''a%22b%5Cc.txt`,
		"100%.txt":      `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`,
		"a\r\nX: y":     `attachment; filename="a__X: y"; filename*=UTF-8''a%0D%0AX%3A%20y`,
	} {
		if got := attachment(name); got != want {
			t.Errorf("attachment(%q)\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestRenderIsWholeOrNothing(t *testing.T) {
	a := newApp(t, Options{})
	w := httptest.NewRecorder()
	a.render(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, "list", "Broken", "not list data")
	wantStatus(t, w, http.StatusInternalServerError)
	if bytes.Contains(w.Body.Bytes(), []byte("<table")) {
		t.Error("half a page was sent")
	}
}
