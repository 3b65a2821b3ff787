package web

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"image"
	_ "image/jpeg" // for image.DecodeConfig
	_ "image/png"
	"math"
	"strconv"
	"strings"
)

// logoHeight and logoMaxWidth are the box of the logo, in CSS pixels.
const (
	logoHeight   = 40
	logoMaxWidth = 144
)

// logoWidth is how wide the logo will be drawn, so that the page has its place
// ready and nothing moves when it arrives; 0 when the file does not say.
func logoWidth(f asset) int {
	w, h := 0.0, 0.0
	switch f.contentType {
	case "image/svg+xml":
		w, h = svgSize(f.body)
	case "image/webp":
		w, h = webpSize(f.body)
	default:
		c, _, err := image.DecodeConfig(bytes.NewReader(f.body))
		if err == nil {
			w, h = float64(c.Width), float64(c.Height)
		}
	}
	if !(w > 0 && h > 0) || math.IsInf(w, 0) || math.IsInf(h, 0) {
		return 0
	}
	return int(math.Round(max(1, min(w/h*logoHeight, logoMaxWidth))))
}

// svgSize reads the viewBox, else width and height, of the first element.
func svgSize(b []byte) (w, h float64) {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := d.RawToken()
		if err != nil {
			return 0, 0
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "viewBox":
				f := strings.FieldsFunc(a.Value, func(r rune) bool { return r == ' ' || r == ',' })
				if len(f) == 4 {
					return number(f[2]), number(f[3])
				}
			case "width":
				w = number(strings.TrimSuffix(a.Value, "px"))
			case "height":
				h = number(strings.TrimSuffix(a.Value, "px"))
			}
		}
		return w, h
	}
}

// number reads a number; what is none is 0.
func number(s string) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0
	}
	return f
}

// webpSize reads the size from the first chunk (RFC 9649, sections 2.5 to 2.7).
func webpSize(b []byte) (w, h float64) {
	if len(b) < 30 {
		return 0, 0
	}
	switch string(b[12:16]) {
	case "VP8 ":
		return float64(binary.LittleEndian.Uint16(b[26:]) & 0x3fff), float64(binary.LittleEndian.Uint16(b[28:]) & 0x3fff)
	case "VP8L":
		n := binary.LittleEndian.Uint32(b[21:])
		return float64(n&0x3fff) + 1, float64(n>>14&0x3fff) + 1
	case "VP8X":
		wide := binary.LittleEndian.Uint32(b[23:]) >> 8
		high := binary.LittleEndian.Uint32(b[26:]) >> 8
		return float64(wide) + 1, float64(high) + 1
	}
	return 0, 0
}
