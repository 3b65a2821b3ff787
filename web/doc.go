// Package web draws the pages: layout, components, catalogues, assets and error
// pages. It decides nothing about people.
//
// # Sources
//
// A package with pages embeds a folder of its own and hands it to New as an
// fs.FS:
//
//	templates/*.html     {{define "challenge/verify"}} … {{end}}: what stands in <main>
//	catalog/en.toml      its texts, English
//	catalog/ja.toml      its texts, Japanese; the same keys
//
// A template starts with its own <h1>. Its dot is Page.Data. The name is the
// package, a slash, and the page. A catalogue key starts with the package's name:
//
//	challenge.verify.title = "Enter your code"
//	[challenge.recovery.left]
//	one = "{{.Count}} code left"
//	other = "{{.Count}} codes left"
//
// # Functions in templates
//
//	t "key" "Name" value …      text in the page's language; "Count" selects the plural
//	when time                   date and time in ui.time_zone, as <time>; "never" for zero
//	date time                   the date alone
//	ago time                    "5 minutes ago", with the exact time as a tooltip
//	number n                    digits grouped as the language does
//	lang                        "en"
//	brand                       ui.name
//	support                     ui.support_text, or the catalogue's own sentence
//	asset "app.css"             address of an asset
//	dict "Key" value …          a map, to hand several values to a template
//	field "Name" n "Label" l …  a labelled input with help and error: see Field
//	checkbox "Name" n "Label" l …  a labelled checkbox: see Field
//	alert "error" text          a message; kinds: error, warning, success, info
//	steps 2 "Scan" "Confirm" …  where one is in a sequence (1-based)
//	copyable "Text" s …         something to select and copy: see Copyable
//	icon "phone"                a small decorative picture
//
// # Classes
//
// form.stack (fields above one another), button.primary, button (secondary),
// button.danger, button.quiet (looks like a link), a.button, .actions (a row of
// buttons), p.lead, p.hint, .muted, section.panel, ul.rows (a list of things with
// actions: li > .row-main + .row-actions), table.grid (collapses on narrow
// screens; give each td a data-label), .badge, .qr, ol.codes, .key, .or, details.
// Inline styles and scripts are refused by the Content-Security-Policy. An element
// with data-print and the hidden attribute becomes a print button when scripts
// run; without them nothing is lost.
package web
