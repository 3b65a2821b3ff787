package web

import (
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"sallyport/internal/reqctx"
)

// languageCookie keeps the last choice of a browser on this host.
const languageCookie = "__Host-sallyport-lng"

// languageQuery is the query parameter that chooses.
const languageQuery = "lng"

// maxAcceptLanguage bounds the work on a header that anybody may send.
const maxAcceptLanguage = 512

// lang is one language: its texts, and the templates bound to them.
type lang struct {
	tag       language.Tag
	name      string // in the language itself
	localizer *i18n.Localizer
	printer   *message.Printer
	templates *template.Template
}

// loadCatalogues reads catalog/*.toml of every source, and the files that an admin
// wrote. Any file may bring a language; texts it lacks are shown in English.
func loadCatalogues(sources []fs.FS, added []string) (*i18n.Bundle, error) {
	b := i18n.NewBundle(language.English)
	b.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	seen := map[string]bool{}
	for _, src := range sources {
		files, err := fs.Glob(src, "catalog/*.toml")
		if err != nil {
			return nil, fmt.Errorf("catalogues: %w", err)
		}
		for _, f := range files {
			text, err := fs.ReadFile(src, f)
			if err != nil {
				return nil, fmt.Errorf("catalogues: %w", err)
			}
			mf, err := b.ParseMessageFileBytes(text, path.Base(f))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f, err)
			}
			for _, m := range mf.Messages {
				k := mf.Tag.String() + " " + m.ID
				if seen[k] {
					return nil, fmt.Errorf("%s: the text %q is there twice", f, m.ID)
				}
				seen[k] = true
			}
		}
	}
	for _, file := range added {
		if _, err := readCatalogue(b, file); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// text returns the text of a key. With "Count" among the arguments it is the
// plural form for that number. A key that English lacks is an error.
func (l *lang) text(key string, args map[string]any) (string, error) {
	c := &i18n.LocalizeConfig{MessageID: key, TemplateData: args}
	if n, ok := args["Count"]; ok {
		c.PluralCount = n
	}
	s, err := l.localizer.Localize(c)
	if s != "" {
		return s, nil // with an error: English or the plain plural, in place of what this catalogue lacks
	}
	if err != nil {
		return "", fmt.Errorf("text %q: %w", key, err)
	}
	return s, nil
}

// has reports whether the language (or English) has the key.
func (l *lang) has(key string) bool {
	s, err := l.text(key, nil)
	return err == nil && s != ""
}

// Language returns the language of the answer to r, such as "en": ?lng=, else the
// last choice of the person, else of this browser on this host, else what the
// browser asks for, else ui.language.
func (u *UI) Language(r *http.Request) string {
	l, _ := u.negotiate(r)
	return l.tag.String()
}

// negotiate picks the language; chosen reports that the request chose it just now.
func (u *UI) negotiate(r *http.Request) (l *lang, chosen bool) {
	if q := r.URL.RawQuery; strings.Contains(q, languageQuery+"=") {
		if l := u.exact(r.URL.Query().Get(languageQuery)); l != nil {
			return l, true
		}
	}
	// A cookie is known to one host only, so a person's choice goes before it: they
	// may have chosen again elsewhere.
	if l := u.exact(reqctx.From(r.Context()).Language); l != nil {
		return l, false
	}
	for _, c := range r.CookiesNamed(languageCookie) {
		if l := u.exact(c.Value); l != nil {
			return l, false
		}
	}
	accept := strings.Join(r.Header.Values("Accept-Language"), ",")
	if accept == "" || len(accept) > maxAcceptLanguage {
		return u.langs[0], false
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(tags) == 0 {
		return u.langs[0], false
	}
	_, i, confidence := u.matcher.Match(tags...)
	if confidence < language.High { // a guess at what else speakers of it may read
		i = 0
	}
	return u.langs[i], false
}

// exact returns the language of that very tag, in any case; nil if there is none.
func (u *UI) exact(tag string) *lang {
	if tag == "" || len(tag) > 35 { // RFC 5646, section 4.4.1
		return nil
	}
	for _, l := range u.langs {
		if strings.EqualFold(l.tag.String(), tag) {
			return l
		}
	}
	return nil
}

func setLanguageCookie(w http.ResponseWriter, tag language.Tag) {
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: tag.String(), Path: "/", MaxAge: 365 * 24 * 60 * 60,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// switchLinks lists the languages, each a link to the same page with the same
// query. The link has no path, so that a request for //evil.example makes no
// link to there.
func (u *UI) switchLinks(r *http.Request, current *lang) []languageLink {
	q := maps.Clone(r.URL.Query())
	out := make([]languageLink, len(u.langs))
	for i, l := range u.langs {
		q.Set(languageQuery, l.tag.String())
		out[i] = languageLink{Tag: l.tag.String(), Name: l.name, Current: l == current,
			Href: template.URL("?" + q.Encode())} // encoded: nothing in it can end the attribute or name a scheme
	}
	slices.SortFunc(out, func(a, b languageLink) int { return strings.Compare(a.Tag, b.Tag) })
	return out
}
