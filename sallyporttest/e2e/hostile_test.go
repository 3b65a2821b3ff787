package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"sallyport"
	"sallyport/sallyporttest"
)

// hostileApp is an app into which somebody has injected a script: it serves any
// script it likes, also under our paths if it could, and wants a wide scope for it.
func hostileApp() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".js") {
			w.Header().Set("Content-Type", "text/javascript")
			w.Header().Set("Service-Worker-Allowed", "/")
			fmt.Fprint(w, `self.addEventListener("fetch", e => {
				const u = new URL(e.request.url);
				if (u.pathname.startsWith("/.sallyport/")) e.respondWith(new Response("<h1 id=caught>" + u.pathname + u.search + "</h1>", {headers: {"Content-Type": "text/html"}}));
			});
			self.addEventListener("install", () => self.skipWaiting());
			self.addEventListener("activate", e => e.waitUntil(clients.claim()));`)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>App</title><h1 id="app">alice</h1>`)
	})
}

// E10: script that runs in the legacy app drives no page of ours, puts no service
// worker over them, and reads no token.
func TestHostileScriptInTheApp(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{Upstream: hostileApp()})
	g.AddUser("alice", password, sallyport.StateEnabled)
	b := chromium(t, []*sallyporttest.Gateway{g}, []string{sallyporttest.App, sallyporttest.Portal, sallyporttest.Other})
	p := newPerson(t, g, b, "en", desk)
	p.open(g.URL(sallyporttest.App, "/"))
	p.signIn("alice", password)
	p.readQuickly()
	p.wants("the app", "#app")
	portal := g.URL(sallyporttest.Portal, "")

	// The portal's pages are really open to the person: a script could do harm.
	p.open(portal + info)
	p.wants("security info", "#apps")
	p.open(g.URL(sallyporttest.App, "/page"))

	for name, script := range map[string]string{
		"cookies":                       `document.cookie`,
		"cookie store":                  `window.cookieStore ? (await cookieStore.getAll()).map(c => c.name).join() : ""`,
		"security info on the app host": `await read("/.sallyport/security-info")`,
		"security info on the portal":   `await read(PORTAL + "/.sallyport/security-info", {credentials: "include"})`,
		"portal, without CORS":          `(await fetch(PORTAL + "/.sallyport/security-info", {credentials: "include", mode: "no-cors"})).type === "opaque" ? "" : "readable"`,
		"registration on the portal":    `await read(PORTAL + "/.sallyport/security-info/add", {credentials: "include"})`,
		"sign out everywhere":           `await read(PORTAL + "/.sallyport/security-info/end-all-sessions", {method: "POST", credentials: "include", body: new URLSearchParams({csrf: "x"})})`,
		"hand-off":                      `await read("/.sallyport/handoff?code=AAAA")`,
		"identity headers of a request": `await read("/.sallyport/session")`,
	} {
		if got := p.attack(script); strings.Contains(got, "Authenticator") || name != "security info on the app host" && got != "" && !strings.HasPrefix(got, "refused") {
			t.Errorf("%s: the script gets %q", name, got)
		}
	}
	p.open(portal + info)
	p.wants("security info, still signed in", "#apps")
	p.open(g.URL(sallyporttest.App, "/page"))
	p.frames(portal)
	p.windows(portal)
	p.workers()
}

// attack runs an asynchronous expression in the app's page.
func (p *person) attack(script string) string {
	p.t.Helper()
	return eval[string](p, `(async () => {
		const PORTAL = `+quote(p.g.URL(sallyporttest.Portal, ""))+`;
		const read = async (url, init) => { const r = await fetch(url, init); return r.ok ? r.url + " " + await r.text() : "refused " + r.status; };
		try { return String(await (async () => `+body(script)+`)()); } catch (e) { return "refused: " + e; }
	})()`)
}

// frames: no page of ours shows in a frame of the app. A script cannot look into a
// frame of another origin either way, so the browser itself says that it refused.
func (p *person) frames(portal string) {
	p.t.Helper()
	refused := make(chan string, 100)
	if err := chromedp.Listen(p.ctx, func(ev any) {
		if e, ok := ev.(*log.EventEntryAdded); ok && strings.Contains(e.Entry.Text, "frame-ancestors") {
			refused <- e.Entry.Text
		}
	}); err != nil {
		p.t.Fatal(err)
	}
	for _, address := range []string{portal + info, portal + "/.sallyport/sign-in", portal + "/.sallyport/sign-out", "/.sallyport/nothing"} {
		p.attack(`{
			const f = document.createElement("iframe");
			f.src = ` + quote(address) + `;
			const loaded = new Promise(r => f.onload = r);
			document.body.append(f);
			await loaded;
			f.remove();
		}`)
		select {
		case <-refused:
		case <-time.After(5 * time.Second):
			p.t.Errorf("%s can be shown in a frame", address)
		}
	}
}

// windows: a window that the app opens on the portal is cut off from its opener.
func (p *person) windows(portal string) {
	p.t.Helper()
	got := p.attack(`{
		const w = open(` + quote(portal+info) + `, "_blank", "width=400,height=400");
		if (!w) return "no window was opened";
		for (let i = 0; i < 100 && !w.closed; i++) await new Promise(r => setTimeout(r, 50));
		let seen = "";
		try { seen = w.document.body.innerText; } catch (e) { seen = ""; }
		return (w.closed ? "" : "the opener still holds the window") + seen;
	}`)
	if got != "" {
		p.t.Errorf("window: %s", got)
	}
}

// workers: a service worker never stands over our paths.
func (p *person) workers() {
	p.t.Helper()
	for _, c := range [][2]string{
		{"/.sallyport/evil.js", "/.sallyport/"}, {"/.sallyport/assets/app.js", "/.sallyport/"},
		{"/evil.js", "/.sallyport/"}, {"/evil.js", "/.sallyport/handoff"}, {"/evil.js", "/"},
	} {
		got := p.attack(`{
			const r = await navigator.serviceWorker.register(` + quote(c[0]) + `, {scope: ` + quote(c[1]) + `});
			const w = r.installing || r.waiting || r.active;
			if (w.state !== "activated") await new Promise((ok, no) => { w.onstatechange = () => w.state === "activated" ? ok() : w.state === "redundant" && no("redundant"); });
			return "registered for " + r.scope;
		}`)
		if !strings.HasPrefix(got, "refused") {
			p.t.Errorf("a service worker from %s: %s", c[0], got)
		}
	}
	p.open(p.g.URL(sallyporttest.App, "/.sallyport/nothing"))
	if p.has("#caught") {
		p.t.Errorf("a service worker of the app answers for our paths:\n%s", p.text())
	}
	p.open(p.g.URL(sallyporttest.App, "/.sallyport/handoff?code=AAAA"))
	if p.has("#caught") {
		p.t.Errorf("a service worker of the app sees hand-off codes:\n%s", p.text())
	}
}

// body is the body of an arrow function for an expression or a block.
func body(script string) string {
	if strings.HasPrefix(script, "{") {
		return script
	}
	return "(" + script + ")"
}
