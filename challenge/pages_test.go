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
