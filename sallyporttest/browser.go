package sallyporttest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"golang.org/x/net/html"

	"sallyport"
)

// Browser is a person's browser: a cookie jar, and requests as a browser sends
// them when somebody types an address or presses a button.
type Browser struct {
	t      testing.TB
	g      *Gateway
	Client *http.Client
	// Header is sent with every request; it begins as a browser's navigation.
	Header http.Header
}

// Browser opens a new browser without cookies.
func (g *Gateway) Browser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	b := &Browser{t: g.t, g: g, Client: &http.Client{Jar: jar, Transport: g.Transport(), Timeout: 30 * time.Second},
		Header: http.Header{"Accept": {"text/html,application/xhtml+xml"}, "Accept-Language": {"en"},
			"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"same-origin"},
			"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"}}}
	g.t.Cleanup(b.Client.CloseIdleConnections)
	return b
}

// Transport reaches every host of the gateway on 127.0.0.1 and trusts its CA.
func (g *Gateway) Transport() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(host, ".localhost") {
				addr = net.JoinHostPort("127.0.0.1", port)
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		TLSClientConfig:     &tls.Config{RootCAs: g.Roots},
		MaxIdleConnsPerHost: 200,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
	}
}

// Page is an answer that has been read.
type Page struct {
	t      testing.TB
	b      *Browser
	Status int
	URL    *url.URL // after redirects
	Header http.Header
	Body   string
	doc    *html.Node
}

// Get opens an address and follows redirects.
func (b *Browser) Get(address string) *Page {
	b.t.Helper()
	return b.Do(http.MethodGet, address, nil)
}

// Do sends a request, with a form when there is one, and follows redirects.
func (b *Browser) Do(method, address string, form url.Values) *Page {
	b.t.Helper()
	p, err := b.Try(method, address, form)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, address, err)
	}
	return p
}

// Try is Do for goroutines: it returns the error.
func (b *Browser) Try(method, address string, form url.Values) (*Page, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header = b.Header.Clone()
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		u := *req.URL
		req.Header.Set("Origin", u.Scheme+"://"+u.Host)
	}
	resp, err := b.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	p := &Page{t: b.t, b: b, Status: resp.StatusCode, URL: resp.Request.URL, Header: resp.Header, Body: string(text)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		if p.doc, err = html.Parse(strings.NewReader(p.Body)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Cookie returns the value of a cookie that the browser has for an address, "" if
// none.
func (b *Browser) Cookie(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.Client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// Form is a form of a page, with the values that a browser would send untouched.
type Form struct {
	page   *Page
	Action string
	Method string
	Values url.Values
}

// Form returns the page's form that has a field or button of that name.
func (p *Page) Form(field string) *Form {
	p.t.Helper()
	f := p.FindForm(field)
	if f == nil {
		p.t.Fatalf("%s (%d): no form with a field %q in:\n%s", p.URL, p.Status, field, p.Text())
	}
	return f
}

// FindForm is Form, or nil.
func (p *Page) FindForm(field string) *Form {
	for _, n := range p.all("form") {
		f := &Form{page: p, Method: strings.ToUpper(attr(n, "method")), Values: url.Values{}}
		ref, err := p.URL.Parse(attr(n, "action"))
		if err != nil {
			continue
		}
		f.Action = ref.String()
		found := false
		walk(n, func(c *html.Node) {
			name := attr(c, "name")
			if name == "" {
				return
			}
			found = found || name == field
			switch typ := attr(c, "type"); {
			case c.Data == "button" || typ == "submit" || typ == "checkbox" || typ == "radio":
				if has(c, "checked") {
					f.Values.Add(name, attr(c, "value"))
				}
			case c.Data == "input" || c.Data == "textarea":
				f.Values.Add(name, attr(c, "value"))
			}
		})
		if found {
			return f
		}
	}
	return nil
}

// Submit fills in fields (name, value, name, value …) and presses the button.
func (f *Form) Submit(pairs ...string) *Page {
	f.page.t.Helper()
	return f.page.b.Do(f.Method, f.Action, f.With(pairs...))
}

// With returns the form's values with fields filled in.
func (f *Form) With(pairs ...string) url.Values {
	v := url.Values{}
	for name, values := range f.Values {
		v[name] = append([]string(nil), values...)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// Text returns the page's visible text.
func (p *Page) Text() string {
	if p.doc == nil {
		return p.Body
	}
	var sb strings.Builder
	var visit func(*html.Node)
	visit = func(n *html.Node) {
		if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style" || n.Data == "svg" || n.Data == "head") {
			return
		}
		if n.Type == html.TextNode {
			if s := strings.TrimSpace(n.Data); s != "" {
				sb.WriteString(s)
				sb.WriteByte('\n')
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			visit(c)
		}
	}
	visit(p.doc)
	return sb.String()
}

// Echoed returns what the Echo app received.
func (p *Page) Echoed() Echoed {
	p.t.Helper()
	var e Echoed
	if err := json.Unmarshal([]byte(p.Body), &e); err != nil {
		p.t.Fatalf("%s (%d) is not the app's answer: %v\n%s", p.URL, p.Status, err, p.Text())
	}
	return e
}

// Links returns the addresses of the page's links.
func (p *Page) Links() []string {
	var out []string
	for _, n := range p.all("a") {
		out = append(out, attr(n, "href"))
	}
	return out
}

// Secret returns the key that a registration page shows, from its otpauth link.
func (p *Page) Secret() string {
	p.t.Helper()
	for _, l := range p.Links() {
		if strings.HasPrefix(l, "otpauth://") {
			u, err := url.Parse(l)
			if err != nil {
				p.t.Fatal(err)
			}
			return u.Query().Get("secret")
		}
	}
	p.t.Fatalf("%s: no otpauth link in:\n%s", p.URL, p.Text())
	return ""
}

// ErrorCode returns the error code on the page, "" if none.
func (p *Page) ErrorCode() sallyport.Code {
	return sallyport.Code(regexp.MustCompile(`SP-\d{4}`).FindString(p.Body))
}

func (p *Page) all(tag string) []*html.Node {
	var out []*html.Node
	if p.doc != nil {
		walk(p.doc, func(n *html.Node) {
			if n.Data == tag {
				out = append(out, n)
			}
		})
	}
	return out
}

func walk(n *html.Node, visit func(*html.Node)) {
	if n.Type == html.ElementNode {
		visit(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// Code returns the authenticator's code for a secret at a time (RFC 6238, SHA-1,
// 30 s, 6 digits).
func Code(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCodeCustom(secret, at, totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// Follow opens an address from this page in the same browser.
func (p *Page) Follow(address string) *Page {
	p.t.Helper()
	return p.b.Get(address)
}
