package web

import (
	"fmt"
	"html/template"
	"time"
)

// clock shows times in one language.
type clock struct {
	l    *lang
	zone *time.Location
	now  func() time.Time
}

func (l *lang) clock(u *UI) clock { return clock{l: l, zone: u.zone, now: u.now} }

// when is date and time, with the zone.
func (c clock) when(t time.Time) (template.HTML, error) { return c.show(t, "web.format.time", "") }

// date is the date alone.
func (c clock) date(t time.Time) (template.HTML, error) { return c.show(t, "web.format.date", "") }

// ago is how long ago t is; from 30 days on it is the date.
func (c clock) ago(t time.Time) (template.HTML, error) {
	if t.IsZero() {
		return c.show(t, "", "")
	}
	d := max(c.now().Sub(t), 0) // another node's clock may be ahead
	unit, n := "", 0
	switch {
	case d < time.Minute:
		unit = "now"
	case d < time.Hour:
		unit, n = "minutes", int(d/time.Minute)
	case d < 24*time.Hour:
		unit, n = "hours", int(d/time.Hour)
	case d < 30*24*time.Hour:
		unit, n = "days", int(d/(24*time.Hour))
	default:
		return c.date(t)
	}
	text, err := c.l.text("web.ago."+unit, map[string]any{"Count": n})
	if err != nil {
		return "", err
	}
	return c.show(t, "web.format.time", text)
}

// show makes a <time> of t in the catalogue's layout, or saying text with that as
// its tooltip. Layouts are Go's, so that an added language can bring its own.
func (c clock) show(t time.Time, layoutKey, text string) (template.HTML, error) {
	if t.IsZero() {
		never, err := c.l.text("web.never", nil)
		return template.HTML(template.HTMLEscapeString(never)), err
	}
	layout, err := c.l.text(layoutKey, nil)
	if err != nil {
		return "", err
	}
	t = t.In(c.zone)
	exact, tip := t.Format(layout), ""
	if text == "" {
		text = exact
	} else {
		tip = ` title="` + template.HTMLEscapeString(exact) + `"`
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s"%s>%s</time>`,
		t.Format(time.RFC3339), tip, template.HTMLEscapeString(text))), nil
}
