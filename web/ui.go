package web

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed templates catalog assets
var own embed.FS

// Options are what a UI is built from beside its section of the config.
type Options struct {
	// Portal is the origin of the portal, "https://login.example.com": where error
	// pages lead home to.
	Portal string
	// Chosen hears of a language that a request for a page chose, so that it can be
	// kept for the person. nil: only the browser keeps it.
	Chosen func(r *http.Request, language string)
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: slog.Default
}

// UI draws pages. It is immutable after New and safe for concurrent use; a reload
// of the config makes a new one.
type UI struct {
	cfg     Config
	portal  string
	zone    *time.Location
	chosen  func(r *http.Request, language string)
	now     func() time.Time
	log     *slog.Logger
	assets  *assets
	langs   []*lang // the default first, as the matcher knows them
	matcher language.Matcher
}

// New builds a UI from the templates and catalogues of the sources and its own.
// Every text that a template names literally must be in the English catalogue.
func New(cfg Config, o Options, sources ...fs.FS) (*UI, error) {
	if faults := cfg.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("ui: %w", faults)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	u := &UI{cfg: cfg.withDefaults(), portal: strings.TrimSuffix(o.Portal, "/"), chosen: o.Chosen, now: o.Now, log: o.Log}
	var err error
	if u.zone, err = cfg.zone(); err != nil {
		return nil, fmt.Errorf("ui.time_zone: %w", err)
	}
	if u.assets, err = newAssets(u.cfg); err != nil {
		return nil, err
	}
	sources = append([]fs.FS{own}, sources...)
	if err := u.loadLanguages(sources); err != nil {
		return nil, err
	}
	for _, l := range u.langs {
		if err := u.loadTemplates(l, sources); err != nil {
			return nil, err
		}
	}
	return u, checkTexts(u.exact("en"))
}

// loadLanguages makes the languages of the catalogues, the default one first.
func (u *UI) loadLanguages(sources []fs.FS) error {
	bundle, err := loadCatalogues(sources, u.cfg.Catalogues)
	if err != nil {
		return err
	}
	var tags []language.Tag
	for _, tag := range bundle.LanguageTags() {
		l := &lang{tag: tag, localizer: i18n.NewLocalizer(bundle, tag.String()), printer: message.NewPrinter(tag)}
		// A catalogue that does not name its language is a part of one, not one.
		c := &i18n.LocalizeConfig{MessageID: "web.language"}
		name, got, err := l.localizer.LocalizeWithTag(c)
		if err != nil || got != tag {
			continue
		}
		l.name = name
		u.langs = append(u.langs, l)
	}
	i := slices.IndexFunc(u.langs, func(l *lang) bool { return strings.EqualFold(l.tag.String(), u.cfg.Language) })
	if i < 0 {
		return fmt.Errorf("ui.language: there is no catalogue for %q", u.cfg.Language)
	}
	u.langs[0], u.langs[i] = u.langs[i], u.langs[0]
	for _, l := range u.langs {
		tags = append(tags, l.tag)
	}
	u.matcher = language.NewMatcher(tags)
	return nil
}

// loadTemplates parses every template for one language.
func (u *UI) loadTemplates(l *lang, sources []fs.FS) error {
	l.templates = template.New("").Option("missingkey=error")
	l.templates.Funcs(u.funcs(l))
	for _, src := range sources {
		files, err := fs.Glob(src, "templates/*.html")
		if err != nil {
			return fmt.Errorf("templates: %w", err)
		}
		for _, f := range files {
			text, err := fs.ReadFile(src, f)
			if err != nil {
				return fmt.Errorf("templates: %w", err)
			}
			if _, err := l.templates.New(f).Parse(string(text)); err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
		}
	}
	return nil
}
