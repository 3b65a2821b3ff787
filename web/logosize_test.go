package web

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"
)

func TestLogoWidth(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		t.Fatal(err)
	}
	webp := func(kind string, rest ...byte) []byte {
		return append([]byte("RIFF\x00\x00\x00\x00WEBP"+kind+"\x00\x00\x00\x00"), append(rest, make([]byte, 10)...)...)
	}
	for name, c := range map[string]struct {
		kind string
		body []byte
		want int
	}{
		"png":              {"image/png", picture.Bytes(), 60},
		"png cut":          {"image/png", picture.Bytes()[:12], 0},
		"svg viewBox":      {"image/svg+xml", []byte(`<svg width="1" height="1" viewBox="0 0 80 40"/>`), 80},
		"svg size":         {"image/svg+xml", []byte(`<svg width="20px" height="10"/>`), 80},
		"svg too wide":     {"image/svg+xml", []byte(`<svg viewBox="0,0,9999,10"/>`), 144},
		"svg zero":         {"image/svg+xml", []byte(`<svg viewBox="0 0 0 0"/>`), 0},
		"svg without":      {"image/svg+xml", []byte(`<svg/>`), 0},
		"svg not a number": {"image/svg+xml", []byte(`<svg viewBox="0 0 NaN Inf"/>`), 0},
		"svg percent":      {"image/svg+xml", []byte(`<svg width="100%" height="100%"/>`), 0},
		"webp lossy":       {"image/webp", webp("VP8 ", 0, 0, 0, 0x9d, 1, 0x2a, 100, 0, 50, 0), 80},
		"webp lossless":    {"image/webp", webp("VP8L", 0x2f, 99, 0x40, 12, 0), 80},
		"webp extended":    {"image/webp", webp("VP8X", 0, 0, 0, 0, 99, 0, 0, 49, 0, 0), 80},
		"webp cut":         {"image/webp", []byte("RIFF\x00\x00\x00\x00WEBPVP8 "), 0},
	} {
		if got := logoWidth(asset{body: c.body, contentType: c.kind}); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if strings.Count(markSVG, "%") != 3 {
		t.Error("the mark takes two colours")
	}
}
