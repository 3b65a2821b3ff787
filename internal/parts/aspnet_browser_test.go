package parts_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"sallyport/internal/parts"
)

// asUser makes the tab send the identity header, as the gateway would.
func asUser(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"X-Sallyport-User": name},
		})
		return err
	})
}

func TestASPNetInABrowser(t *testing.T) {
	app := parts.ASPNet(t)
	b := parts.Chromium(t)
	tab := b.Tab()
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatal(err)
		}
	}
	do(asUser("alice"), chromedp.Navigate(app.URL+"/Timesheet.aspx"))
	// A query by XPath waits across the navigation that a postback is.
	wait := func(xpath string) {
		t.Helper()
		do(chromedp.WaitVisible(xpath))
	}
	do(chromedp.Click(`//tr[contains(@class,'pager')]//a[text()='2']`))
	wait(`//td[@class='id' and text()='11']`)
	b.Screenshot(tab, "parts/aspnet-timesheet")

	do(chromedp.Navigate(app.URL + "/Entry.aspx"))
	do(chromedp.SendKeys("#ctl00_Main_Hours", "lots"), chromedp.Click("#ctl00_Main_Save"))
	wait(`//span[text()='Hours are a number such as 7.5.']`)
	do(chromedp.SetValue("#ctl00_Main_Hours", "6.5"), chromedp.Click("#ctl00_Main_Save"))
	wait(`//span[text()='Saved as no. 58 for alice.']`)

	file := filepath.Join(t.TempDir(), "領収書.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("receipt\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	do(chromedp.Navigate(app.URL + "/Upload.aspx"))
	do(chromedp.SetUploadFiles("#ctl00_Main_File", []string{file}), chromedp.Click("#ctl00_Main_Send"))
	wait(`//td[@id='file-name' and text()='領収書.txt']`)
	wait(`//td[@id='file-size' and text()='8000']`)
	b.Screenshot(tab, "parts/aspnet-upload")
}
