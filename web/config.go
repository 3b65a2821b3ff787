package web

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // zones must be known on machines that have none, such as Windows

	"golang.org/x/text/language"

	"sallyport"
)

// Config is the `ui` section.
type Config struct {
	// Name of the organisation, in titles and beside the logo. Default: Sallyport.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// LogoFile is an SVG, PNG, JPEG or WebP file of at most 256 KiB. Default: none.
	LogoFile string `yaml:"logo_file,omitempty" json:"logo_file,omitempty"`
	// Color is the accent colour, `#rrggbb`. Text on it is black or white,
	// whichever can be read. Default: `#1f5fbf`.
	Color string `yaml:"color,omitempty" json:"color,omitempty"`
	// TimeZone in which times are shown, such as `Asia/Tokyo`. Default: UTC.
	TimeZone string `yaml:"time_zone,omitempty" json:"time_zone,omitempty"`
	// Language when neither the user nor the browser says: `en`, `ja`, or one of
	// `catalogues`. Default: `en`.
	Language string `yaml:"language,omitempty" json:"language,omitempty"`
	// Catalogues are TOML files with the texts of further languages, each named
	// after its language, such as `fr.toml`; docs/operations.md says how to write
	// one. Texts that one lacks are shown in English. Default: none.
	Catalogues []string `yaml:"catalogues,omitempty" json:"catalogues,omitempty"`
	// SupportText is shown under "I can't use any of these": whom to call.
	// Default: a sentence that says to ask the administrator.
	SupportText string `yaml:"support_text,omitempty" json:"support_text,omitempty"`
}

const (
	defaultName     = "Sallyport"
	defaultColor    = "#1f5fbf"
	defaultLanguage = "en"
)

// maxLogo is the largest logo file, in bytes.
const maxLogo = 256 << 10

var hexColor = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// Validate returns every fault of the section; paths start at the section. It
// reads logo_file, and nothing else.
func (c Config) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	if n := len([]rune(c.Name)); n > 60 {
		faults.Add("name", "use at most 60 characters", "the name has %d characters", n)
	}
	if c.Color != "" && !hexColor.MatchString(c.Color) {
		faults.Add("color", "write it as #rrggbb, such as #1f5fbf", "%q is not a colour", c.Color)
	}
	if _, err := c.zone(); err != nil {
		faults.Add("time_zone", "use a name of the IANA database, such as Asia/Tokyo", "%q is not a time zone", c.TimeZone)
	}
	if c.Language != "" {
		if _, err := language.Parse(c.Language); err != nil {
			faults.Add("language", "use en or ja", "%q is not a language", c.Language)
		}
	}
	if n := len([]rune(c.SupportText)); n > 1000 {
		faults.Add("support_text", "use at most 1000 characters", "the text has %d characters", n)
	}
	if c.LogoFile != "" {
		if _, err := readLogo(c.LogoFile); err != nil {
			faults.Add("logo_file", "give an SVG, PNG, JPEG or WebP file of at most 256 KiB", "%v", err)
		}
	}
	return faults
}

// zone loads the time zone. "Local" is refused: pages would then depend on the
// machine that drew them.
func (c Config) zone() (*time.Location, error) {
	if c.TimeZone == "" {
		return time.UTC, nil
	}
	if strings.EqualFold(c.TimeZone, "local") {
		return nil, fmt.Errorf("%q is not a time zone", c.TimeZone)
	}
	return time.LoadLocation(c.TimeZone)
}

// withDefaults fills empty fields in.
func (c Config) withDefaults() Config {
	set := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	set(&c.Name, defaultName)
	set(&c.Color, defaultColor)
	set(&c.Language, defaultLanguage)
	return c
}

// readLogo reads a logo and tells its type by its content.
func readLogo(path string) (asset, error) {
	info, err := os.Stat(path)
	if err != nil {
		return asset{}, fmt.Errorf("logo: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxLogo {
		return asset{}, fmt.Errorf("logo %s: not a file of at most 256 KiB", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return asset{}, fmt.Errorf("logo: %w", err)
	}
	kind := imageType(b)
	if kind == "" {
		return asset{}, fmt.Errorf("logo %s: neither SVG, PNG, JPEG nor WebP", path)
	}
	return asset{body: b, contentType: kind}, nil
}
