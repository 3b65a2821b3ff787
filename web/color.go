package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// rgb is an sRGB colour, 0 to 255 each.
type rgb [3]float64

var (
	black = rgb{0, 0, 0}
	white = rgb{255, 255, 255}
)

// parseColor reads #rrggbb.
func parseColor(s string) (rgb, error) {
	if !hexColor.MatchString(s) {
		return rgb{}, fmt.Errorf("%q is not a colour of the form #rrggbb", s)
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	if err != nil {
		return rgb{}, fmt.Errorf("colour %q: %w", s, err)
	}
	return rgb{float64(n >> 16), float64(n >> 8 & 255), float64(n & 255)}, nil
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0])), int(math.Round(c[1])), int(math.Round(c[2])))
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 {
	lin := func(v float64) float64 {
		v = math.Round(v) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(c[0]) + 0.7152*lin(c[1]) + 0.0722*lin(c[2])
}

// contrast is the contrast ratio of WCAG 2.2, 1 to 21.
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// mix moves c towards d by f, 0 to 1.
func (c rgb) mix(d rgb, f float64) rgb {
	for i := range c {
		c[i] += (d[i] - c[i]) * f
	}
	return c
}

// readable is black or white, whichever reads better on c: never below 4.58.
func (c rgb) readable() rgb {
	if contrast(c, white) >= contrast(c, black) {
		return white
	}
	return black
}

// until moves c towards end in small steps until it has the ratio against every
// one of the grounds.
func (c rgb) until(end rgb, ratio float64, grounds ...rgb) rgb {
	for f := 0.0; f < 1; f += 0.02 {
		m := c.mix(end, f)
		enough := true
		for _, g := range grounds {
			enough = enough && contrast(m, g) >= ratio
		}
		if enough {
			return m
		}
	}
	return end
}

// theme is what stands behind text in one of the two colour schemes; app.css has
// the same values, and the test of contrasts fails when they part.
type theme struct {
	page, card, tint rgb
	end              rgb // where colours go to stand out: black by day, white by night
}

var (
	light = theme{page: rgb{245, 246, 248}, card: white, tint: rgb{238, 240, 244}, end: black}
	dark  = theme{page: rgb{15, 18, 22}, card: rgb{24, 28, 34}, tint: rgb{35, 40, 48}, end: white}
)

// accentCSS is the part of the style sheet that the accent colour decides.
func accentCSS(accent rgb) string {
	var b strings.Builder
	fmt.Fprintf(&b, ":root{%s}\n", light.accent(accent))
	fmt.Fprintf(&b, "@media (prefers-color-scheme:dark){:root{%s}}\n", dark.accent(accent))
	return b.String()
}

// accent derives the tones of one scheme: a button that can be told from its
// ground (3:1), text on it and links (4.5:1).
func (t theme) accent(c rgb) string {
	fill := c
	if t.end == white {
		fill = c.until(white, 3, t.card, t.page)
	}
	on := fill.readable()
	away := black // hover goes away from the text on it, so that contrast only grows
	if on == black {
		away = white
	}
	edge := fill.until(t.end, 3, t.card, t.page)
	link := c.until(t.end, 4.6, t.card, t.page, t.tint)
	soft := t.card.mix(link, 0.09)
	return fmt.Sprintf("--accent:%s;--on-accent:%s;--accent-hover:%s;--accent-active:%s;--accent-edge:%s;--link:%s;--soft:%s",
		fill, on, fill.mix(away, 0.12), fill.mix(away, 0.22), edge, link, soft)
}
