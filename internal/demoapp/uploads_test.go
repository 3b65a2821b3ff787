package demoapp

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"
)

type formFile struct {
	field, name string
	content     []byte
}

// formOf writes the form by hand: mime/multipart would escape hostile names.
func formOf(files ...formFile) []byte {
	var b bytes.Buffer
	for _, f := range files {
		param := `filename="` + f.name + `"`
		if strings.ContainsFunc(f.name, unicode.IsControl) { // only the encoded form can carry these
			param = "filename*=UTF-8''" + encodeExtValue(f.name)
		}
		fmt.Fprintf(&b, "--frontier\r\nContent-Disposition: form-data; name=\"%s\"; %s\r\n"+
			"Content-Type: text/html\r\n\r\n%s\r\n", f.field, param, f.content)
	}
	b.WriteString("--frontier--\r\n")
	return b.Bytes()
}

func upload(a *App, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/upload", bytes.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=frontier")
	r.Header.Set("X-Sallyport-User", "erika")
	return serve(a, r)
}

func filesOnDisk(t *testing.T, a *App) int {
	t.Helper()
	entries, err := os.ReadDir(a.files.dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(entries)
}

var downloadLink = regexp.MustCompile(`href="(/download/[^"]*)"`)

// TestUploadRoundTrip sends each name, follows the link of the page, and wants the
// same bytes back under a harmless name.
func TestUploadRoundTrip(t *testing.T) {
	long := strings.Repeat("長", 300)
	for _, c := range []struct{ label, sent, want string }{
		{"plain", "report.txt", "report.txt"},
		{"spaces", " two words .txt ", "two words .txt"},
		{"japanese", "勤務表 2026年11月.xlsx", "勤務表 2026年11月.xlsx"},
		{"emoji", "😀.png", "😀.png"},
		{"traversal", "../../../../etc/passwd", "passwd"},
		{"windows traversal", `..\..\boot.ini`, "boot.ini"},
		{"whole path of an old browser", `C:\Documents\a.txt`, "a.txt"},
		{"absolute", "/etc/cron.d/job", "job"},
		{"dots", "..", "unnamed"},
		{"dots and path", "x/..", "unnamed"},
		{"path only", "a/b/", "unnamed"},
		{"NUL", "evil.php\x00.txt", "evil.php.txt"},
		{"line ends", "a\r\nSet-Cookie: x=y\r\n\r\n.txt", "aSet-Cookie_ x=y.txt"},
		{"control", "a\x01\x7fb.txt", "ab.txt"},
		{"bidi override", "gpj\u202egnp.exe", "gpjgnp.exe"},
		{"invalid UTF-8", "a\xff\xfe.txt", "a_.txt"},
		{"markup", "<img src=x onerror=alert(1)>.html", "_img src=x onerror=alert(1)_.html"},
		{"percent", "100%25%2e%2e%2f.txt", "100%25%2e%2e%2f.txt"},
		{"query", "a?b=c#d&e;f.txt", "a_b=c#d&e;f.txt"},
		{"quote", "it's.txt", "it's.txt"},
		{"long", long + ".xlsx", strings.Repeat("長", 58) + ".xlsx"},
		{"long extension", "a." + strings.Repeat("x", 500), "a." + strings.Repeat("x", 178)},
	} {
		t.Run(c.label, func(t *testing.T) {
			a := newApp(t, Options{})
			srv := newServer(t, a)
			content := []byte("content of " + c.label + "\r\n\x00\xff")
			w := upload(a, formOf(formFile{"file", c.sent, content}))
			wantStatus(t, w, http.StatusSeeOther)

			page := get(a, "/upload?saved=1").Body.String()
			wantContains(t, page, "Your file has been stored", ">"+html.EscapeString(c.want)+"</a>")
			link := downloadLink.FindStringSubmatch(page)
			if link == nil {
				t.Fatalf("no link in:\n%s", page)
			}
			resp, err := srv.Client().Get(srv.URL + html.UnescapeString(link[1]))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(got, content) {
				t.Fatalf("download of %s: %d, %q, %v", link[1], resp.StatusCode, got, err)
			}
			disposition := resp.Header.Get("Content-Disposition")
			kind, params, err := mime.ParseMediaType(onlyExtended(disposition))
			if err != nil || kind != "attachment" || params["filename"] != c.want {
				t.Errorf("Content-Disposition %q: %q, %q, %v", disposition, kind, params["filename"], err)
			}
			if resp.Header.Get("Content-Type") != "application/octet-stream" ||
				resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("header = %v", resp.Header)
			}
		})
	}
}

// onlyExtended drops the plain filename where filename* is there, as RFC 6266 says;
// the Go parser refuses both at once.
func onlyExtended(disposition string) string {
	if _, extended, ok := strings.Cut(disposition, "; filename*="); ok {
		return "attachment; filename*=" + extended
	}
	return disposition
}

func TestUploadStaysInItsFolder(t *testing.T) {
	a := newApp(t, Options{})
	wantStatus(t, upload(a, formOf(formFile{"file", "../escaped.txt", nil}, formFile{"file", "b.txt", nil})), http.StatusSeeOther)
	if n := filesOnDisk(t, a); n != 2 {
		t.Fatalf("%d files in the folder", n)
	}
	if _, err := os.Stat(a.files.dir + "/../escaped.txt"); !os.IsNotExist(err) {
		t.Fatalf("escaped: %v", err)
	}
	for _, target := range []string{"/download/..%2f..%2fetc%2fpasswd", "/download/%2e%2e", "/download/", "/download/%00", "/download/.."} {
		if w := get(a, target); w.Code == http.StatusOK {
			t.Errorf("%s: status 200", target)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if n := filesOnDisk(t, a); n != 0 {
		t.Errorf("%d files after Close", n)
	}
}

func TestSameNameTwice(t *testing.T) {
	a := newApp(t, Options{})
	for _, content := range []string{"one", "two", "three"} {
		wantStatus(t, upload(a, formOf(formFile{"file", "日報.txt", []byte(content)})), http.StatusSeeOther)
	}
	for name, want := range map[string]string{"日報.txt": "one", "日報 (2).txt": "two", "日報 (3).txt": "three"} {
		w := get(a, "/download/"+url.PathEscape(name))
		wantStatus(t, w, http.StatusOK)
		if w.Body.String() != want {
			t.Errorf("%s holds %q, want %q", name, w.Body, want)
		}
	}
}

func TestDownloadRangeAndHead(t *testing.T) {
	a := newApp(t, Options{})
	wantStatus(t, upload(a, formOf(formFile{"file", "a.txt", []byte("0123456789")})), http.StatusSeeOther)
	r := httptest.NewRequest(http.MethodGet, "/download/a.txt", nil)
	r.Header.Set("Range", "bytes=3-5")
	w := serve(a, r)
	wantStatus(t, w, http.StatusPartialContent)
	if w.Body.String() != "345" {
		t.Errorf("range = %q", w.Body)
	}
	w = serve(a, httptest.NewRequest(http.MethodHead, "/download/a.txt", nil))
	if w.Header().Get("Content-Length") != "10" || w.Body.Len() != 0 {
		t.Errorf("HEAD: %v, %d bytes", w.Header(), w.Body.Len())
	}
}

func TestUploadRefusalsKeepNothing(t *testing.T) {
	whole := formOf(formFile{"file", "a.txt", []byte("0123456789")})
	post := func(a *App, contentType string, body []byte) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/upload", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		return serve(a, r)
	}
	const multi = "multipart/form-data; boundary=frontier"
	for _, c := range []struct {
		name        string
		contentType string
		body        []byte
		status      int
		says        string
	}{
		{"too large", multi, formOf(formFile{"file", "a", make([]byte, 101)}), 413, "too large"},
		{"whole form too large", multi, formOf(formFile{"other", "a", make([]byte, 2<<20)}), 413, "too large"},
		{"second too large", multi, formOf(formFile{"file", "a", nil}, formFile{"file", "b", make([]byte, 101)}), 413, "too large"},
		{"too many", multi, formOf(formFile{"file", "a", nil}, formFile{"file", "b", nil}, formFile{"file", "c", nil}), 507, "full"},
		{"nothing chosen", multi, formOf(formFile{"file", "", nil}), 400, "choose a file"},
		{"other field", multi, formOf(formFile{"other", "a", nil}), 400, "choose a file"},
		{"cut in the file", multi, whole[:len(whole)-20], 400, "broke off"},
		{"cut after a file", multi, whole[:len(whole)-len("--frontier--\r\n")], 400, "broke off"},
		{"empty", multi, nil, 400, "broke off"},
		{"garbage", multi, []byte("\x00\xff garbage"), 400, "broke off"},
		{"raw NUL in a name", multi, bytes.ReplaceAll(whole, []byte("a.txt"), []byte("a\x00.txt")), 400, "broke off"},
		{"not multipart", "text/plain", whole, 400, "multipart/form-data"},
		{"no boundary", "multipart/form-data", whole, 400, "multipart/form-data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newApp(t, Options{MaxUploads: 2, MaxUploadBytes: 100})
			w := post(a, c.contentType, c.body)
			wantStatus(t, w, c.status)
			wantContains(t, w.Body.String(), c.says, "There are no files yet")
			if n := filesOnDisk(t, a); n != 0 {
				t.Errorf("%d files on disk", n)
			}
			// Every place is free again.
			full := formOf(formFile{"file", "a", make([]byte, 100)}, formFile{"file", "b", nil})
			wantStatus(t, upload(a, full), http.StatusSeeOther)
			wantStatus(t, upload(a, whole), http.StatusInsufficientStorage)
		})
	}
}

func TestUploadWithoutFolder(t *testing.T) {
	a := New(nil, Options{Now: fixedNow})
	wantStatus(t, upload(a, formOf(formFile{"file", "a", nil})), http.StatusServiceUnavailable)

	blocked := t.TempDir() + "/file"
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a = newApp(t, Options{Dir: blocked})
	w := upload(a, formOf(formFile{"file", "a", nil}))
	wantStatus(t, w, http.StatusInternalServerError)
	if strings.Contains(w.Body.String(), blocked) {
		t.Error("the page shows a path of the server")
	}
}

func TestConcurrentUploadsStayWithinBounds(t *testing.T) {
	const places = 5
	a := newApp(t, Options{MaxUploads: places})
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 30 {
		wg.Go(func() {
			w := upload(a, formOf(formFile{"file", "same.txt", []byte("x")}))
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
		})
	}
	wg.Wait()
	if codes[http.StatusSeeOther] != places || codes[http.StatusInsufficientStorage] != 30-places {
		t.Errorf("codes = %v", codes)
	}
	names := map[string]bool{}
	for _, f := range a.files.list() {
		names[f.Name] = true
	}
	if len(names) != places || filesOnDisk(t, a) != places {
		t.Errorf("names = %v, %d on disk", names, filesOnDisk(t, a))
	}
}

// TestLargeUploadIsNotHeldInMemory sends 24 MiB and wants less than 4 MiB of
// memory to be allocated for it altogether.
func TestLargeUploadIsNotHeldInMemory(t *testing.T) {
	a := newApp(t, Options{})
	content := make([]byte, 24<<20)
	_, _ = rand.Read(content)
	body := formOf(formFile{"file", "big.bin", content})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wantStatus(t, upload(a, body), http.StatusSeeOther)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("allocated %d bytes", used)
	}
	w := get(a, "/download/big.bin")
	if !bytes.Equal(w.Body.Bytes(), content) {
		t.Error("other bytes came back")
	}
}

func FuzzCleanName(f *testing.F) {
	for _, seed := range []string{"a.txt", "../a", "..", "a\x00b", "\u202e", strings.Repeat("長", 200) + ".x", "\xff. ."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean := cleanName(name)
		if clean == "" || clean == "." || clean == ".." || len(clean) > maxNameBytes || !utf8.ValidString(clean) ||
			strings.ContainsAny(clean, "/\\\x00\r\n\"<>") {
			t.Fatalf("cleanName(%q) = %q", name, clean)
		}
		if again := cleanName(clean); again != clean {
			t.Fatalf("cleanName(%q) = %q, and again %q", name, clean, again)
		}
		kind, params, err := mime.ParseMediaType(onlyExtended(attachment(clean)))
		if err != nil || kind != "attachment" || params["filename"] != clean {
			t.Fatalf("attachment(%q) = %q", clean, attachment(clean))
		}
	})
}
