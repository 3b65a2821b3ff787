package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sallyport/internal/reqctx"
	"sallyport/web"
)

func TestLanguageIsNegotiated(t *testing.T) {
	u := newUI(t, web.Config{}, `x`)
	ja := newUI(t, web.Config{Language: "ja"}, `x`)
	for name, c := range map[string]struct {
		u       *web.UI
		target  string
		headers []string
		want    string
	}{
		"nothing said":              {u, "/", nil, "en"},
		"nothing said, ja default":  {ja, "/", nil, "ja"},
		"browser":                   {u, "/", []string{"Accept-Language", "ja"}, "ja"},
		"browser with region":       {u, "/", []string{"Accept-Language", "ja-JP,en;q=0.5"}, "ja"},
		"browser with weights":      {u, "/", []string{"Accept-Language", "en;q=0.3, ja;q=0.9"}, "ja"},
		"British":                   {ja, "/", []string{"Accept-Language", "en-GB"}, "en"},
		"unknown language":          {u, "/", []string{"Accept-Language", "de"}, "en"},
		"unknown, ja default":       {ja, "/", []string{"Accept-Language", "de, fr;q=0.5"}, "ja"},
		"cookie over browser":       {u, "/", []string{"Cookie", "__Host-sallyport-lng=ja", "Accept-Language", "en"}, "ja"},
		"query over cookie":         {u, "/?lng=en", []string{"Cookie", "__Host-sallyport-lng=ja"}, "en"},
		"query in another case":     {u, "/?lng=JA", nil, "ja"},
		"garbage query, cookie":     {u, "/?lng=xx", []string{"Cookie", "__Host-sallyport-lng=ja"}, "ja"},
		"garbage cookie":            {u, "/", []string{"Cookie", "__Host-sallyport-lng=..%2f..", "Accept-Language", "ja"}, "ja"},
		"garbage and good cookie":   {u, "/", []string{"Cookie", "__Host-sallyport-lng=zz; __Host-sallyport-lng=ja"}, "ja"},
		"empty query":               {u, "/?lng=", nil, "en"},
		"query of a broken address": {u, "/?lng=%zz&lng=ja", nil, "ja"},
	} {
		w := draw(t, c.u, request(c.target, c.headers...), web.Page{})
		if got := w.Header().Get("Content-Language"); got != c.want {
			t.Errorf("%s: page in %q, want %q", name, got, c.want)
		}
		if got := c.u.Language(request(c.target, c.headers...)); got != c.want {
			t.Errorf("%s: Language says %q, want %q", name, got, c.want)
		}
		contains(t, w.Body.String(), `<html lang="`+c.want+`">`)
	}
}

func TestChoosingSetsTheCookie(t *testing.T) {
	u := newUI(t, web.Config{}, `x`)
	cookies := draw(t, u, request("/?lng=ja"), web.Page{}).Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if c.Name != "__Host-sallyport-lng" || c.Value != "ja" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie is %+v", c)
	}
	if got := draw(t, u, request("/", "Cookie", "__Host-sallyport-lng=ja"), web.Page{}).Result().Cookies(); len(got) != 0 {
		t.Errorf("a page that chose nothing set %v", got)
	}
}

// A page tells of a choice, so that it can be kept; it goes before the cookie, which
// one host alone knows.
func TestChoiceOfThePerson(t *testing.T) {
	var chosen []string
	u, err := web.New(web.Config{}, web.Options{Portal: portal, Chosen: func(_ *http.Request, language string) { chosen = append(chosen, language) }},
		fstest.MapFS{"templates/x.html": {Data: []byte(`{{define "x"}}x{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ target, last, want string }{
		{"/", "ja", "ja"}, {"/?lng=en", "ja", "en"}, {"/", "xx", "en"}, {"/?lng=xx", "", "en"}, {"/", "", "en"},
	} {
		r := request(c.target, "Cookie", "__Host-sallyport-lng=en")
		reqctx.From(r.Context()).Language = c.last
		if got := u.Language(r); got != c.want {
			t.Errorf("%s, last choice %q: %q, want %q", c.target, c.last, got, c.want)
		}
		if err := u.Render(httptest.NewRecorder(), r, web.Page{Template: "x", TitleKey: "web.continue"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(chosen) != 1 || chosen[0] != "en" {
		t.Errorf("choices heard of: %q, want the one", chosen)
	}
}

// TestGarbageLanguage (H5, F5): what comes in ?lng=, the cookie and
// Accept-Language is never repeated in a header or a page, and costs little.
func TestGarbageLanguage(t *testing.T) {
	u := newUI(t, web.Config{}, `x`)
	long := strings.Repeat("a-", 1<<19)
	start := time.Now()
	for _, s := range []string{"ja\r\nSet-Cookie: evil=1", "<evil>", `"><evil>`, "ja;q=1;q=2;;", "*", "-", "i-klingon", "x-x-x-x", "ja\x00", "\xff\xfe", long, strings.Repeat("en,", 1<<18), "en-u-rg-gbzzzz-x-" + strings.Repeat("evil-", 100)} {
		r := request("/")
		r.URL.RawQuery = "lng=" + s
		r.Header["Accept-Language"] = []string{s, s}
		r.Header["Cookie"] = []string{"__Host-sallyport-lng=" + s}
		w := draw(t, u, r, web.Page{})
		h := w.Result().Header
		if lang := h.Get("Content-Language"); lang != "en" && lang != "ja" {
			t.Errorf("%.20q made the language %q", s, lang)
		}
		if strings.Contains(w.Body.String(), "<evil") || strings.Contains(strings.Join(h["Set-Cookie"], ""), "evil") {
			t.Errorf("%.20q came through", s)
		}
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %s", d)
	}
}

// TestLanguageLinksStayOnThePage (E3): the links of the language switch have no
// path of their own, so that a page at //evil.example links nowhere else, and
// keep the query.
func TestLanguageLinksStayOnThePage(t *testing.T) {
	u := newUI(t, web.Config{}, `x`)
	r := request("/?flow=abc&lng=en&x=%22%3E%3Cevil%3E")
	r.URL.Path = "//evil.example/"
	body := draw(t, u, r, web.Page{}).Body.String()
	contains(t, body, `href="?flow=abc&amp;lng=ja&amp;x=%22%3E%3Cevil%3E"`, `<span lang="en" aria-current="true">English</span>`)
	if strings.Contains(body, "evil.example") {
		t.Error("the page links to evil.example")
	}
}

func TestAnAddedLanguage(t *testing.T) {
	src := fstest.MapFS{"catalog/fr.toml": {Data: []byte("[web]\nlanguage = \"Français\"\ncontinue = \"Continuer\"\n")}}
	u, err := web.New(web.Config{Language: "fr"}, web.Options{Portal: portal}, src)
	if err != nil {
		t.Fatal(err)
	}
	w := draw(t, u, request("/?lng=fr"), web.Page{Template: "web/error", Data: map[string]any{"Code": "x", "Title": "x", "Text": "x", "Help": "x",
		"CorrelationID": "x", "RetryAfter": 0, "Retry": true, "Again": "", "Home": "/", "OfApp": false, "Lock": false, "Clock": false}})
	contains(t, w.Body.String(), `<html lang="fr">`, "<title>Continuer", "Français", "日本語", "Try again")
	if _, err := web.New(web.Config{Language: "de"}, web.Options{}); err == nil {
		t.Error("a default language without a catalogue was accepted")
	}
}

func TestTimesAndNumbers(t *testing.T) {
	u := newUI(t, web.Config{TimeZone: "Asia/Tokyo"}, `[{{when .T}}|{{date .T}}|{{ago .T}}|{{number .N}}|{{t "test.n" "Count" .N}}|{{t "test.n" "Count" 1}}|{{lang}}]`,
		"[test.n]\none = \"{{.Count}} thing\"\nother = \"{{.Count}} things\"", "[test.n]\nother = \"{{.Count}}個\"")
	type data struct {
		T time.Time
		N int
	}
	for _, c := range []struct {
		lang string
		t    time.Time
		want string
	}{
		{"en", noon.Add(-5 * time.Minute), `[<time datetime="2026-11-02T20:55:00+09:00">2 Nov 2026, 20:55 JST</time>|<time datetime="2026-11-02T20:55:00+09:00">2 Nov 2026</time>|` +
			`<time datetime="2026-11-02T20:55:00+09:00" title="2 Nov 2026, 20:55 JST">5 minutes ago</time>|12,345|12345 things|1 thing|en]`},
		{"ja", noon.Add(-5 * time.Minute), `[<time datetime="2026-11-02T20:55:00+09:00">2026年11月2日 20:55 JST</time>|<time datetime="2026-11-02T20:55:00+09:00">2026年11月2日</time>|` +
			`<time datetime="2026-11-02T20:55:00+09:00" title="2026年11月2日 20:55 JST">5分前</time>|12,345|12345個|1個|ja]`},
		{"en", time.Time{}, `[never|never|never|12,345|12345 things|1 thing|en]`},
		{"ja", time.Time{}, `[なし|なし|なし|12,345|12345個|1個|ja]`},
	} {
		contains(t, draw(t, u, request("/?lng="+c.lang), web.Page{Data: data{c.t, 12345}}).Body.String(), c.want)
	}
	for d, want := range map[time.Duration]string{-time.Hour: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 23 * time.Hour: "23 hours ago",
		24 * time.Hour: "1 day ago", 29 * 24 * time.Hour: "29 days ago", 31 * 24 * time.Hour: "2 Oct 2026"} {
		contains(t, draw(t, u, request("/"), web.Page{Data: data{noon.Add(-d), 1}}).Body.String(), want+"</time>|1|")
	}
}
