package web_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sallyport/internal/reqctx"
	"sallyport/web"
)

const portal = "https://login.example.com"

var noon = time.Date(2026, time.November, 2, 12, 0, 0, 0, time.UTC)

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// newUI builds a UI whose own page is "test/page", if template is not empty. The
// catalogue lines, in English and Japanese, go under [test].
func newUI(t *testing.T, cfg web.Config, template string, catalogue ...string) *web.UI {
	t.Helper()
	src := fstest.MapFS{}
	if template != "" {
		src["templates/page.html"] = &fstest.MapFile{Data: []byte(`{{define "test/page"}}` + template + `{{end}}`)}
	}
	for i, lang := range []string{"en", "ja"}[:min(2, len(catalogue)*2)] {
		src["catalog/"+lang+".toml"] = &fstest.MapFile{Data: []byte("[test]\n" + catalogue[min(i, len(catalogue)-1)])}
	}
	u, err := web.New(cfg, web.Options{Portal: portal, Now: func() time.Time { return noon }}, src)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// request is a browser's GET; headers come in pairs.
func request(target string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
	u, err := r.URL.Parse(target)
	if err != nil {
		panic(err)
	}
	r.URL = u
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return reqctx.With(r, &reqctx.Info{CorrelationID: "01890000-0000-7000-8000-000000000000"})
}

// draw renders test/page.
func draw(t *testing.T, u *web.UI, r *http.Request, p web.Page) *httptest.ResponseRecorder {
	t.Helper()
	if p.Template == "" {
		p.Template = "test/page"
	}
	if p.TitleKey == "" {
		p.TitleKey = "web.continue"
	}
	w := httptest.NewRecorder()
	if err := u.Render(w, r, p); err != nil {
		t.Fatal(err)
	}
	return w
}

func contains(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(body, p) {
			t.Errorf("%q is not in\n%s", p, body)
		}
	}
}
