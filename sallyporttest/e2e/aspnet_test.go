package e2e_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sallyport"
	"sallyport/internal/parts"
	"sallyport/sallyporttest"
)

// The Web Forms application works behind the gateway as it does without: postbacks
// with their view state, validators, upload and download. Nobody logs in there: it
// takes the user from the identity header.
func TestASPNetBehindTheGateway(t *testing.T) {
	legacy := parts.ASPNet(t)
	g := sallyporttest.New(t, sallyporttest.Options{UpstreamURL: legacy.URL})
	g.AddUser("alice", password, sallyport.StateDisabled)
	b := chromium(t, []*sallyporttest.Gateway{g}, []string{sallyporttest.App, sallyporttest.Portal})
	p := newPerson(t, g, b, "en", desk)
	at := func(path string) string { return g.URL(sallyporttest.App, path) }
	text := func(selector string) string {
		return eval[string](p, "document.querySelector("+quote(selector)+")?.textContent.trim() ?? ''")
	}
	// The grid's links run scripts that post the form.
	link := func(s string) { p.press(`//table[@id='ctl00_Main_Grid']//a[normalize-space(text())='` + s + `']`) }

	p.open(at("/Timesheet.aspx"))
	p.signIn("alice", password)
	if p.where() != at("/Timesheet.aspx") || !strings.HasPrefix(text(".who"), "Signed in as alice") {
		t.Fatalf("at %s as %q", p.where(), text(".who"))
	}
	p.picture("aspnet-timesheet")
	link("2")
	if got := text("td.id"); got != "11" {
		t.Errorf("the second page begins with %s", got)
	}
	link("Hours")
	if got := text("#sorted"); got != "Hours ASC" {
		t.Errorf("sorted by %q", got)
	}
	p.press("#ctl00_Main_OnlyMine")
	total := text("#total")
	if total == "57" || total == "0" || total == "" {
		t.Errorf("alice has %q of 57 entries", total)
	}
	p.press("#ctl00_Main_OnlyMine")
	link("No.")
	link("Edit")
	const note = "#ctl00_Main_Grid input[id$=_Note]"
	p.do(chromedp.SetValue(note, "O'Brien & Söhne 確認"))
	link("Update")
	if got := text("#message"); got != "Saved." {
		t.Errorf("after the edit: %q", got)
	}
	p.contains("O'Brien & Söhne 確認")
	p.picture("aspnet-edited")

	p.open(at("/Entry.aspx"))
	// The validators may speak in the browser, without a postback.
	p.do(chromedp.Click("#ctl00_Main_Save"), chromedp.WaitVisible(`//span[text()='The hours are missing.']`))
	p.do(chromedp.SetValue("#ctl00_Main_Hours", "lots"), chromedp.Click("#ctl00_Main_Save"),
		chromedp.WaitVisible(`//span[text()='Hours are a number such as 7.5.']`))
	p.do(chromedp.SetValue("#ctl00_Main_Hours", "6.5"))
	p.press("#ctl00_Main_Save")
	p.contains("Saved as no. 58 for alice.")

	content := bytes.Repeat([]byte{0, 1, 2, '\r', '\n', 0xff}, 200_000)
	file := filepath.Join(t.TempDir(), "領収書 2009.bin")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.open(at("/Upload.aspx"))
	p.do(chromedp.SetUploadFiles("#ctl00_Main_File", []string{file}))
	p.press("#ctl00_Main_Send")
	if text("#file-name") != "領収書 2009.bin" || text("#file-size") != "1200000" {
		t.Errorf("uploaded: %q, %s bytes", text("#file-name"), text("#file-size"))
	}
	dir := p.downloads()
	p.do(chromedp.Click("#download"))
	if name, got := downloaded(t, dir); name != "領収書 2009.bin" || got != string(content) {
		t.Errorf("downloaded %q with %d bytes", name, len(got))
	}

	// The app's own sign-out is its own affair; the gateway's ends everything.
	p.open(at("/.sallyport/sign-out"))
	p.press("main form button.primary")
	p.open(at("/Timesheet.aspx"))
	p.wants("sign-in page", "input[name=password]")
}
