package web

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
	// Language when neither the user nor the browser says: `en` or `ja`.
	// Default: `en`.
	Language string `yaml:"language,omitempty" json:"language,omitempty"`
	// SupportText is shown under "I can't use any of these": whom to call.
	// Default: a sentence that says to ask the administrator.
	SupportText string `yaml:"support_text,omitempty" json:"support_text,omitempty"`
}
