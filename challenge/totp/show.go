package totp

import (
	"fmt"
	"html/template"
	"image/color"
	"net/url"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"

	"sallyport"
)

// Proposal is what the registration page shows of a pending secret.
type Proposal struct {
	Issuer, Account string
	// Key is the secret in base32, in groups of four, to be typed; KeyPlain the
	// same in one piece, to be copied.
	Key, KeyPlain string
	// Link opens an authenticator app on the same device.
	Link template.URL
	QR   QR
}

// QR is a QR code as an SVG drawing: a square of Size modules with its quiet
// zone, and the path of the dark ones.
type QR struct {
	Size int
	Path string
}

// Show implements challenge.Method; it returns a Proposal.
func (m *Method) Show(user sallyport.User, b []byte) (any, error) {
	p, err := open(b)
	if err != nil {
		return nil, err
	}
	account := strings.ReplaceAll(user.Name, ":", " ")
	if user.Email != "" {
		account = user.Email
	}
	link := m.link(account, p.Secret)
	code, err := drawQR(link)
	if err != nil {
		return nil, err
	}
	plain := encode(p.Secret)
	return Proposal{Issuer: m.issuer, Account: account, Key: groups(plain, 4), KeyPlain: plain,
		// html/template blanks schemes it does not know; this one we have just made,
		// with every part escaped.
		Link: template.URL(link), QR: code}, nil //nolint:gosec // see above
}

// link is the address in the form that authenticator apps read ("Key URI Format").
// Every part is escaped here, blanks as %20: some apps show a plus sign as one,
// and a bare & in a company's name would end it.
func (m *Method) link(account string, secret []byte) string {
	esc := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	return "otpauth://totp/" + esc(m.issuer) + ":" + esc(account) + "?secret=" + encode(secret) + "&issuer=" + esc(m.issuer) +
		"&algorithm=" + otp.AlgorithmSHA1.String() + "&digits=" + digits.String() + "&period=" + strconv.Itoa(period)
}

// groups sets a space after every n characters.
func groups(s string, n int) string {
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%n == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// quiet is the light border that scanners need, in modules.
const quiet = 4

// drawQR encodes text; each run of dark modules in a row is one stroke of the
// path.
func drawQR(text string) (QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return QR{}, fmt.Errorf("QR code: %w", err)
	}
	n := code.Bounds().Dx()
	dark := func(x, y int) bool {
		return x < n && color.Gray16Model.Convert(code.At(x, y)).(color.Gray16).Y == 0
	}
	var b strings.Builder
	for y := range n {
		for x := 0; x < n; x++ {
			if !dark(x, y) {
				continue
			}
			from := x
			for dark(x, y) {
				x++
			}
			b.WriteString("M" + strconv.Itoa(from+quiet) + " " + strconv.Itoa(y+quiet) +
				"h" + strconv.Itoa(x-from) + "v1h-" + strconv.Itoa(x-from) + "z")
		}
	}
	return QR{Size: n + 2*quiet, Path: b.String()}, nil
}
