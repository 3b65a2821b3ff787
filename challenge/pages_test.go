package challenge_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport"
)

// Every page of the flows is drawn in Japanese too, with its fields named and
// hinted as password managers and screen readers expect.
func TestPagesInJapanese(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.trusted = nil })
	w.user("alice", sallyport.StateEnabled)
	b := w.browser()
	b.header.Set("Accept-Language", "ja")
	page := b.get(app+"/").want(200, "サインイン", `lang="ja"`, `name="username"`, `autocomplete="username"`, `autocomplete="current-password"`)
	page.submit("username", "alice", "password", "x").want(403, "ユーザー名またはパスワードが正しくありません。入力内容", "SP-1001", `aria-invalid="true" aria-describedby="refused"`)
	register := page.submit("username", "alice", "password", password).
		want(200, "認証アプリの設定", `autocomplete="one-time-code"`, `inputmode="numeric"`, "otpauth://totp/Example%20Corp:alice%40mail.example?", `value="認証アプリ"`)
	key := register.key()
	if !strings.Contains(register.body, grouped(key)) {
		t.Error("the key is not shown in groups of four")
	}
	register.submit("code", "1").want(422, "6桁の数字", `aria-describedby="code-error`)
	codes := register.submit("code", fullwidth(w.code(key))).want(200, "リカバリーコード", "表示されるのは今だけ")
	kept := codes.recoveryCodes()
	codes.submit().want(200, "設定が完了しました", "10個").submit().want(200, "hello alice")

	w.wait(time.Minute)
	verify := w.browser()
	verify.header.Set("Accept-Language", "ja")
	v := verify.signIn(app+"/", "alice").want(200, "ご本人の確認", "14日間", "どの方法も使えません")
	v.submit("code", "123456").want(403, "確認コードが正しくありません")
	verify.get(portal+"/.sallyport/verify?method=recovery&flow="+flowOf(v)).want(200, "リカバリーコード").
		submit("code", kept[0]).want(200, "残り9個").submit().want(200, "hello alice")
	verify.get(portal+"/.sallyport/sign-out").want(200, "サインアウトしますか").submit().want(200, "サインアウトしました")
	verify.get(v.url.String()) // finished: leads on
	w.wait(time.Hour)
	verify.get(v.url.String()).want(410, "最初からやり直す")
	for i := range 10 {
		b = w.browser()
		b.header.Set("Accept-Language", "ja")
		a := b.signIn(app+"/", "alice")
		if i == 9 {
			a.submit("code", "123456").want(403, "一時的にロックされています", "1分ほどお待ちください")
			b.get(a.url.String()).want(403, "一時的にロックされています")
		} else {
			a.submit("code", "123456").want(403)
		}
	}
}

// The page of a recovery code that was used leads to security info, where the lost
// app is replaced, and a double click leads there too; the app is still open to the
// person afterwards, without another question.
func TestRecoveryCodeLeadsToSecurityInfo(t *testing.T) {
	w := newWorld(t)
	w.user("alice", sallyport.StateEnforced)
	register := w.browser().signIn(app+"/", "alice")
	codes := register.submit("code", w.code(register.key()))
	kept := codes.recoveryCodes()
	codes.submit().submit().want(200, "hello alice")

	w.wait(time.Minute)
	b := w.browser()
	use := func(page answer, code string) answer {
		t.Helper()
		return b.get(portal+"/.sallyport/verify?method=recovery&flow="+flowOf(page)).submit("code", code).want(200, "recovery codes left")
	}
	notice := use(b.signIn(app+"/deep?x=1", "alice"), kept[0]).want(200, `name="to" value="security-info"`, "Go to security info")
	for range 2 {
		if a := notice.submit("to", "security-info").want(200, "security info of alice"); a.url.String() != portal+"/.sallyport/security-info" {
			t.Errorf("led to %s", a.url)
		}
	}
	b.get(app+"/deep?x=1").want(200, "hello alice at /deep?x=1 with multifactor")

	b = w.browser()
	notice = use(b.signIn(portal+"/.sallyport/security-info", "alice"), kept[1])
	if strings.Contains(notice.body, `name="to"`) {
		t.Error("two buttons lead to the same page")
	}
	notice.submit().want(200, "security info of alice")

	b = w.browser()
	use(b.signIn(app+"/deep?x=1", "alice"), kept[2]).submit("to", "https://evil.example/").want(200, "hello alice at /deep?x=1")
}

// Pages show no seconds: whoever comes back at the time that the page names must
// find the lock over, so that time is rounded up.
func TestEndOfLockIsRoundedUp(t *testing.T) {
	untilRE := regexp.MustCompile(`Try again after: <time datetime="([^"]+)">`)
	for name, second := range map[string]time.Duration{"in the middle of a minute": 32 * time.Second, "at its begin": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user("alice", sallyport.StateEnforced)
			w.withApp(u)
			now := w.clock.Now()
			w.wait(now.Truncate(time.Minute).Add(time.Minute + second).Sub(now))
			page := w.browser().signIn(app+"/", "alice")
			var last answer
			for range 10 {
				last = page.submit("code", "123456").want(403)
			}
			locks, err := w.db.Lockouts(t.Context(), []string{string(u.ID)}, w.clock.Now())
			must(t, err)
			m := untilRE.FindStringSubmatch(last.body)
			if m == nil || len(locks) != 1 {
				t.Fatalf("%d locks; the page says\n%s", len(locks), last.text())
			}
			shown, err := time.Parse(time.RFC3339, m[1])
			must(t, err)
			until := locks[0].Until
			if early := until.Sub(shown); early > 0 || early <= -time.Minute || shown.Second() != 0 {
				t.Errorf("the page says %s, the lock ends at %s", shown, until)
			}
		})
	}
}

func grouped(key string) string {
	return strings.TrimSpace(regexp.MustCompile(`.{4}`).ReplaceAllString(key, "$0 "))
}

// fullwidth is what a Japanese input method makes of digits.
func fullwidth(code string) string {
	var b strings.Builder
	for _, c := range code {
		b.WriteRune(c - '0' + '０')
	}
	return b.String()
}

// H5: what a person typed, or a directory said, is text on our pages.
func TestTypedTextIsEscaped(t *testing.T) {
	w := newWorld(t)
	evil := `"><script>alert(1)</script>`
	a := w.browser().get(app+"/").submit("username", evil, "password", "x").want(403)
	if strings.Contains(a.body, "<script>alert") || !strings.Contains(html.UnescapeString(a.body), evil) {
		t.Errorf("typed text is not escaped:\n%s", a.body)
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' "+app+";") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy of the page: %s", csp)
	}
}
