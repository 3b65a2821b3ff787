package web

import (
	"fmt"
	"html/template"
)

// icon returns a small line drawing that readers skip: the text beside it says
// the same. Unknown names are an error.
func icon(name string) (template.HTML, error) {
	path := ""
	switch name {
	case "phone":
		path = `<rect x="7" y="2.5" width="10" height="19" rx="2.5"/><path d="M11 18.5h2"/>`
	case "key":
		path = `<circle cx="8" cy="15" r="4.5"/><path d="m11.3 11.7 8.2-8.2M16 7l3 3"/>`
	case "lock":
		path = `<rect x="4.5" y="10.5" width="15" height="10" rx="2.5"/><path d="M8 10.5V7.5a4 4 0 0 1 8 0v3"/>`
	case "shield":
		path = `<path d="M12 3 5 5.8v5.4c0 4.4 2.9 8 7 9.8 4.1-1.8 7-5.4 7-9.8V5.8z"/><path d="m9 12 2.2 2.2L15.2 10"/>`
	case "device":
		path = `<rect x="3" y="4.5" width="18" height="12" rx="2"/><path d="M8.5 20h7M12 16.5V20"/>`
	case "codes":
		path = `<path d="M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01"/>`
	case "warning":
		path = `<path d="M12 4 2.8 19.5h18.4z"/><path d="M12 10v4.5M12 17.2v.1"/>`
	case "check":
		path = `<circle cx="12" cy="12" r="9"/><path d="m8.5 12.2 2.4 2.4 4.8-5"/>`
	case "info":
		path = `<circle cx="12" cy="12" r="9"/><path d="M12 11v5M12 7.9v.1"/>`
	case "exit":
		path = `<path d="M14 4H6.5A1.5 1.5 0 0 0 5 5.5v13A1.5 1.5 0 0 0 6.5 20H14M10 12h10m-3.5-3.5L20 12l-3.5 3.5"/>`
	case "clock":
		path = `<circle cx="12" cy="12" r="9"/><path d="M12 7v5.2l3.2 2"/>`
	default:
		return "", fmt.Errorf("there is no icon %q", name)
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" ` +
		`stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` + path + `</svg>`), nil
}
