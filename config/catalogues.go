package config

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sallyport"
	"sallyport/account"
	"sallyport/challenge"
	"sallyport/challenge/recovery"
	"sallyport/challenge/totp"
	"sallyport/web"
)

// PageAssets are the templates and catalogues of the packages with pages, besides
// those of package web: what a catalogue file translates.
func PageAssets() []fs.FS {
	return []fs.FS{challenge.Assets(), totp.Assets(), recovery.Assets(), account.Assets()}
}

// builtInLanguages have their catalogues in the program.
func builtInLanguages() []string { return []string{"en", "ja"} }

// languages are those that the pages can be shown in. Names of catalogue files
// that are no language become faults.
func (c *Config) languages(faults *sallyport.FieldErrors) []string {
	out := builtInLanguages()
	for i, file := range c.UI.Catalogues {
		path := index("ui.catalogues", i)
		tag, err := web.CatalogueLanguage(file)
		switch {
		case err != nil:
			faults.Add(path, "name the file after its language, such as `fr.toml` or `pt-BR.toml`", "%v", err)
		case slices.Contains(builtInLanguages(), tag):
			faults.Add(path, "remove it: a catalogue adds a language of its own", "the language %q is built in", tag)
		case slices.Contains(out, tag):
			faults.Add(path, "keep one file for each language", "the language %q has a catalogue already", tag)
		default:
			out = append(out, tag)
		}
	}
	return out
}

// checkCatalogues reads the catalogue files that an admin wrote. One that lacks
// texts can be used: pages show those in English.
func (c *Config) checkCatalogues(faults, doubts *sallyport.FieldErrors, s *shape) {
	for i, file := range c.UI.Catalogues {
		path := index("ui.catalogues", i)
		if s.reported(path) || slices.ContainsFunc(*faults, func(f *sallyport.FieldError) bool { return f.Path == path }) {
			continue
		}
		cat, err := web.ReadCatalogue(file, PageAssets()...)
		if err != nil {
			faults.Add(path, "it begins with `[web]` and, below that, `language = \"Français\"`; docs/operations.md shows how to write one", "%v", err)
			continue
		}
		for _, id := range cat.Unknown {
			hint := "remove it; `sallyport config check` lists the texts that are missing"
			if near := nearest(id, cat.Known); near != "" {
				hint = "did you mean `" + near + "`?"
			}
			faults.Add(path, hint, "%s: there is no text %q", file, id)
		}
		for _, id := range cat.Broken {
			faults.Add(path, "use the placeholders of the English text, written in the same way", "%s: %s has a placeholder that the page cannot fill", file, id)
		}
		if n := len(cat.Missing); n > 0 {
			doubts.Add(path, "add them to the file", "%s lacks %s, which pages show in English: %s", file, texts(n), strings.Join(cat.Missing, ", "))
		}
	}
}

func texts(n int) string {
	if n == 1 {
		return "a text"
	}
	return fmt.Sprintf("%d texts", n)
}
