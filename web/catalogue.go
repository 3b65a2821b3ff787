package web

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// maxCatalogue is the largest catalogue file, in bytes.
const maxCatalogue = 1 << 20

// Catalogue is a catalogue file that an admin wrote, held against English.
type Catalogue struct {
	// Missing are the texts that are shown in English instead.
	Missing []string
	// Unknown are texts that no page has.
	Unknown []string
	// Broken are texts with a placeholder that the English one does not have: the
	// page could not be drawn.
	Broken []string
	// Known are the texts that there are.
	Known []string
}

// languageKey is the text that names a catalogue's language in itself.
const languageKey = "web.language"

// CatalogueLanguage is the language of a catalogue file, which is its name:
// "pt-BR" for "/etc/sallyport/pt-BR.toml".
func CatalogueLanguage(file string) (string, error) {
	name, ok := strings.CutSuffix(filepath.Base(file), ".toml")
	if !ok {
		return "", fmt.Errorf("%s is not named after its language", filepath.Base(file))
	}
	tag, err := language.Parse(name)
	if err != nil {
		return "", fmt.Errorf("%q is not a language", name)
	}
	return tag.String(), nil
}

// ReadCatalogue reads a catalogue file and compares it with the English texts of
// the sources and of this package.
func ReadCatalogue(file string, sources ...fs.FS) (*Catalogue, error) {
	messages, err := readCatalogue(i18n.NewBundle(language.English), file)
	if err != nil {
		return nil, err
	}
	english, err := englishTexts(append([]fs.FS{own}, sources...))
	if err != nil {
		return nil, err
	}
	c, have := &Catalogue{}, map[string]bool{}
	for _, m := range messages {
		have[m.ID] = true
		en, ok := english[m.ID]
		switch {
		case !ok:
			c.Unknown = append(c.Unknown, m.ID)
		case !sameBlanks(en, m):
			c.Broken = append(c.Broken, m.ID)
		}
	}
	for id := range english {
		c.Known = append(c.Known, id)
		if !have[id] {
			c.Missing = append(c.Missing, id)
		}
	}
	if !have[languageKey] {
		return nil, fmt.Errorf("%s does not name its language: the text %s is missing", filepath.Base(file), languageKey)
	}
	for _, list := range []*[]string{&c.Missing, &c.Unknown, &c.Broken, &c.Known} {
		slices.Sort(*list)
	}
	return c, nil
}

// readCatalogue adds a catalogue file to a bundle.
func readCatalogue(b *i18n.Bundle, file string) ([]*i18n.Message, error) {
	b.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxCatalogue {
		return nil, fmt.Errorf("catalogue %s: not a file of at most 1 MiB", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	mf, err := b.ParseMessageFileBytes(text, filepath.Base(file))
	if err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("%s, line %d: not TOML: %s", filepath.Base(file), syntax.Position.Line, syntax.Message)
		}
		return nil, fmt.Errorf("%s: a text is a string, or a table of plural forms: %w", filepath.Base(file), err)
	}
	return mf.Messages, nil
}

// englishTexts returns the English texts of the sources by their keys.
func englishTexts(sources []fs.FS) (map[string]*i18n.Message, error) {
	b := i18n.NewBundle(language.English)
	b.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	out := map[string]*i18n.Message{}
	for _, src := range sources {
		text, err := fs.ReadFile(src, "catalog/en.toml")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("catalogues: %w", err)
		}
		mf, err := b.ParseMessageFileBytes(text, "en.toml")
		if err != nil {
			return nil, fmt.Errorf("catalogues: %w", err)
		}
		for _, m := range mf.Messages {
			out[m.ID] = m
		}
	}
	return out, nil
}

var blank = regexp.MustCompile(`{{[^{}]*}}`)

// sameBlanks reports whether every placeholder in a text is one of the English
// text. They are templates: any other would fail when the page is drawn.
func sameBlanks(en, m *i18n.Message) bool {
	if m.LeftDelim != "" || m.RightDelim != "" {
		return false // it would have placeholders that are not seen here
	}
	known := blank.FindAllString(strings.Join(forms(en), " "), -1)
	for _, text := range forms(m) {
		rest := blank.ReplaceAllStringFunc(text, func(s string) string {
			if slices.Contains(known, s) {
				return ""
			}
			return s
		})
		if strings.Contains(rest, "{{") {
			return false
		}
	}
	return true
}

// forms are the plural forms of a text.
func forms(m *i18n.Message) []string {
	return []string{m.Zero, m.One, m.Two, m.Few, m.Many, m.Other}
}
