package parts_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/parts"
)

// webForms is a user of the application with a cookie jar, who comes either
// through a gateway (with headers) or straight to its login page (without).
type webForms struct {
	t       *testing.T
	base    string
	client  *http.Client
	headers map[string]string
	page    string // the last page
}

func newWebForms(t *testing.T, app *parts.Legacy, headers map[string]string) *webForms {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	return &webForms{t: t, base: app.URL, client: client, headers: headers}
}

func (u *webForms) send(method, path, contentType string, body io.Reader) *http.Response {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.base+path, body)
	if err != nil {
		u.t.Fatal(err)
	}
	for name, value := range u.headers {
		req.Header.Set(name, value)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := u.client.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	u.page = string(data)
	if res.StatusCode != http.StatusOK {
		u.t.Fatalf("%s %s: %s\n%s", method, path, res.Status, u.page)
	}
	return res
}

func (u *webForms) get(path string) *http.Response {
	u.t.Helper()
	return u.send(http.MethodGet, path, "", nil)
}

// fields returns the hidden fields of the last page with the given ones.
func (u *webForms) fields(more map[string]string) url.Values {
	form := url.Values{}
	hidden := regexp.MustCompile(`<input type="hidden" name="([^"]+)" id="[^"]*" value="([^"]*)"`)
	for _, m := range hidden.FindAllStringSubmatch(u.page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for name, value := range more {
		form.Set(name, value)
	}
	return form
}

// postBack does what __doPostBack or a button does in a browser.
func (u *webForms) postBack(path string, more map[string]string) *http.Response {
	u.t.Helper()
	form := u.fields(more)
	if form.Get("__VIEWSTATE") == "" || form.Get("__EVENTVALIDATION") == "" {
		u.t.Fatalf("no view state on the page:\n%s", u.page)
	}
	return u.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// follow does what a click on the first postback link with this text does, with
// more fields filled in on the way.
func (u *webForms) follow(text string, more map[string]string) {
	u.t.Helper()
	link := regexp.MustCompile(`__doPostBack\(&#39;([^&]*)&#39;,&#39;([^&]*)&#39;\)">` + text + `</a>`)
	m := link.FindStringSubmatch(u.page)
	if m == nil {
		u.t.Fatalf("no link %q on the page:\n%s", text, u.page)
	}
	fields := map[string]string{"__EVENTTARGET": m[1], "__EVENTARGUMENT": m[2]}
	maps.Copy(fields, more)
	u.postBack("/Timesheet.aspx", fields)
}

// rows returns the numbers of the entries that the grid shows.
func (u *webForms) rows() []string {
	var ids []string
	for _, m := range regexp.MustCompile(`<td class="id">(\d+)</td>`).FindAllStringSubmatch(u.page, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func (u *webForms) wantOnPage(texts ...string) {
	u.t.Helper()
	for _, text := range texts {
		if !strings.Contains(u.page, text) {
			u.t.Errorf("%q is not on the page:\n%s", text, u.page)
		}
	}
}

func TestASPNetGridPostbacks(t *testing.T) {
	u := newWebForms(t, parts.ASPNet(t), map[string]string{"X-Sallyport-User": "alice"})
	u.get("/Timesheet.aspx")
	u.wantOnPage(`<span id="total">57</span>`, "Signed in as alice")
	if got := u.rows(); len(got) != 10 || got[0] != "1" {
		t.Fatalf("first page: %v", got)
	}
	u.follow("3", nil)
	if got := u.rows(); len(got) != 10 || got[0] != "21" {
		t.Errorf("third page: %v", got)
	}
	u.follow("No.", nil)
	u.follow("1", nil)
	if got := u.rows(); len(got) != 10 || got[0] != "57" {
		t.Errorf("sorted from the end: %v", got)
	}
	u.follow("Edit", nil)
	edit := map[string]string{}
	for _, m := range regexp.MustCompile(`name="([^"]+\$(Project|Hours|Note))"`).FindAllStringSubmatch(u.page, -1) {
		edit[m[1]] = map[string]string{"Project": "Überholung & 点検", "Hours": "3.25", "Note": "by test"}[m[2]]
	}
	if len(edit) != 3 {
		t.Fatalf("the row is not in edit mode: %v", slices.Sorted(maps.Keys(edit)))
	}
	u.follow("Update", edit)
	u.wantOnPage("Saved.", "点検", "3.25", "by test")
	u.postBack("/Timesheet.aspx", map[string]string{"__EVENTTARGET": "ctl00$Main$OnlyMine", "ctl00$Main$OnlyMine": "on"})
	u.wantOnPage(`<span id="total">15</span>`)
}

func TestASPNetRefusesABrokenViewState(t *testing.T) {
	u := newWebForms(t, parts.ASPNet(t), map[string]string{"X-Sallyport-User": "alice"})
	u.get("/Timesheet.aspx")
	form := u.fields(map[string]string{"__EVENTTARGET": "ctl00$Main$Grid", "__EVENTARGUMENT": "Page$2"})
	state := []byte(form.Get("__VIEWSTATE"))
	state[len(state)/2] ^= 1
	form.Set("__VIEWSTATE", string(state))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.base+"/Timesheet.aspx", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Sallyport-User", "alice")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := u.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %s", res.Status)
	}
}

func TestASPNetEntryForm(t *testing.T) {
	u := newWebForms(t, parts.ASPNet(t), map[string]string{"X-Sallyport-User": "bob"})
	u.get("/Entry.aspx")
	entry := map[string]string{
		"ctl00$Main$Day": "17/03/2009", "ctl00$Main$Project": "Training",
		"ctl00$Main$Hours": "lots", "ctl00$Main$Note": "first aid", "ctl00$Main$Save": "Save",
	}
	u.postBack("/Entry.aspx", entry)
	u.wantOnPage("Hours are a number such as 7.5.")
	entry["ctl00$Main$Hours"] = "7.5"
	u.postBack("/Entry.aspx", entry)
	u.wantOnPage("Saved as no. 58 for bob.")
}

func TestASPNetUploadAndDownload(t *testing.T) {
	u := newWebForms(t, parts.ASPNet(t), map[string]string{"X-Sallyport-User": "alice"})
	u.get("/Upload.aspx")
	u.wantOnPage(`enctype="multipart/form-data"`)
	content := bytes.Repeat([]byte{0, 1, 2, '\r', '\n', 0xff}, 200_000)
	sum := sha256.Sum256(content)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, values := range u.fields(map[string]string{"ctl00$Main$Send": "Upload"}) {
		if err := form.WriteField(name, values[0]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("ctl00$Main$File", "Lieferschein.pdf")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	u.send(http.MethodPost, "/Upload.aspx", form.FormDataContentType(), &body)
	u.wantOnPage("Lieferschein.pdf", "1200000", hex.EncodeToString(sum[:]))
	res := u.get("/Upload.aspx?download=1")
	if u.page != string(content) {
		t.Errorf("the download differs: %d bytes", len(u.page))
	}
	if got := res.Header.Get("Content-Disposition"); !strings.Contains(got, "Lieferschein.pdf") {
		t.Errorf("Content-Disposition %q", got)
	}
}

func TestASPNetIdentity(t *testing.T) {
	app := parts.ASPNet(t, parts.WithUserHeader("X-Remote-User"))
	u := newWebForms(t, app, map[string]string{
		"X-Remote-User": "carol", "X-Sallyport-User": "mallory", "X-Sallyport-Groups": "employees,finance",
	})
	u.get("/")
	u.wantOnPage(`<strong id="who-am-i">carol</strong>`, "the gateway", `id="finance-note"`)
	u.get("/Headers.aspx?format=json")
	var got struct{ Headers map[string]string }
	if err := json.Unmarshal([]byte(u.page), &got); err != nil {
		t.Fatalf("%v in %s", err, u.page)
	}
	if got.Headers["X-Remote-User"] != "carol" || got.Headers["X-Sallyport-Groups"] != "employees,finance" {
		t.Errorf("headers: %v", got.Headers)
	}

	direct := newWebForms(t, app, nil)
	if res := direct.get("/Timesheet.aspx"); res.Request.URL.Path != "/Login.aspx" {
		t.Fatalf("without a header the way leads to %s", res.Request.URL)
	}
	login := map[string]string{"ctl00$Main$UserName": "bob", "ctl00$Main$Password": "wrong", "ctl00$Main$LogIn": "Log in"}
	direct.postBack("/Login.aspx?ReturnUrl=%2fTimesheet.aspx", login)
	direct.wantOnPage("The user name or the password is wrong.")
	login["ctl00$Main$Password"] = "bob-legacy-1"
	direct.postBack("/Login.aspx?ReturnUrl=%2fTimesheet.aspx", login)
	direct.wantOnPage("Signed in as bob", `<span id="total">57</span>`)
}
