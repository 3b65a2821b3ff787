package totp

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
	"pgregory.net/rapid"

	"sallyport"
	"sallyport/challenge"
	"sallyport/internal/parts"
)

var secret = []byte("12345678901234567890")

// RFC 6238, appendix B, cut to six digits, and what oathtool says.
func TestKnownCodes(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		got, err := codeAt(secret, at/period)
		if err != nil || got != want {
			t.Errorf("at %d: %s (%v), want %s", at, got, err, want)
		}
		if step, drift, err := Match(secret, want, time.Unix(at, 0), 0, -1); err != nil || step != at/period || drift != 0 {
			t.Errorf("at %d: step %d drift %d (%v)", at, step, drift, err)
		}
	}
	at := time.Unix(1_900_000_000, 0)
	if got, err := codeAt(secret, stepAt(at)); err != nil || got != parts.OATHTool(t, encode(secret), at) {
		t.Errorf("oathtool does not agree with %s (%v)", got, err)
	}
}

// The window is one step to each side, no more.
func TestWindow(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	for off := int64(-4); off <= 4; off++ {
		code, err := codeAt(secret, stepAt(now)+off)
		if err != nil {
			t.Fatal(err)
		}
		step, drift, err := Match(secret, code, now, 0, -1)
		if ok := off >= -1 && off <= 1; ok != (err == nil) {
			t.Errorf("step %+d: %v", off, err)
		} else if ok && (step != stepAt(now)+off || drift != int(off)) {
			t.Errorf("step %+d: matched %d with drift %d", off, step-stepAt(now), drift)
		}
	}
}

// 2.3: whatever clock the app has and however late a code is typed: only codes
// around the expected step are accepted, none twice, drift moves by at most one
// step a sign-in and never beyond five, and an app whose clock wanders slowly is
// followed to that bound.
func TestDriftLearning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_900_000_000, 0)
		drift, last := 0, int64(-1)
		for range rapid.IntRange(1, 40).Draw(t, "sign-ins") {
			now = now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "wait")) * time.Second)
			off := int64(rapid.IntRange(-8, 8).Draw(t, "offset"))
			code, err := codeAt(secret, stepAt(now)+off)
			if err != nil {
				t.Fatal(err)
			}
			step, next, err := Match(secret, code, now, drift, last)
			if err != nil {
				if next != drift {
					t.Fatalf("a refused code taught a drift of %d", next)
				}
				if d := off - int64(drift); d >= -1 && d <= 1 && stepAt(now)+off > last {
					t.Fatalf("a new code %+d steps from the expected one was refused: %v", d, err)
				}
				continue
			}
			if step <= last {
				t.Fatalf("step %d accepted after %d", step, last)
			}
			if d := step - stepAt(now) - int64(drift); d < -1 || d > 1 {
				t.Fatalf("a code %+d steps from the expected one was accepted", d)
			}
			if next < -maxDrift || next > maxDrift || next-drift > 1 || drift-next > 1 {
				t.Fatalf("drift went from %d to %d", drift, next)
			}
			drift, last = next, step
		}
	})
}

func TestWanderingClockIsFollowed(t *testing.T) {
	now, drift, last := time.Unix(1_900_000_000, 0), 0, int64(-1)
	for off := int64(0); off <= 7; off++ {
		now = now.Add(24 * time.Hour)
		code, err := codeAt(secret, stepAt(now)+off)
		if err != nil {
			t.Fatal(err)
		}
		step, next, err := Match(secret, code, now, drift, last)
		if ok := off <= maxDrift+1; ok != (err == nil) {
			t.Fatalf("a clock %d steps ahead: %v", off, err)
		}
		if err == nil {
			drift, last = next, step
		}
	}
	if drift != maxDrift {
		t.Errorf("drift ends at %d, want %d", drift, maxDrift)
	}
}

// D5: the same code and older ones are used up, and that is said.
func TestUsed(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	for off := int64(-1); off <= 0; off++ {
		code, err := codeAt(secret, stepAt(now)+off)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Match(secret, code, now, 0, stepAt(now)); !errors.Is(err, sallyport.ErrUsed) {
			t.Errorf("step %+d after the newest: %v, want ErrUsed", off, err)
		}
	}
	if _, _, err := Match(secret, "000000", now, 0, -1); !errors.Is(err, challenge.ErrWrongCode) {
		t.Errorf("a wrong code: %v", err)
	}
}

// The page's link, key and picture say the same, and names with odd characters
// stay one label.
func TestShow(t *testing.T) {
	m := New(nil, "Müller: & Söhne?")
	u := sallyport.User{Name: "al:ice", Email: "alice+x@example.com"}
	pending, err := m.Propose(u)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := m.Show(u, pending)
	if err != nil {
		t.Fatal(err)
	}
	p := shown.(Proposal)
	link, err := url.Parse(string(p.Link))
	if err != nil {
		t.Fatal(err)
	}
	q := link.Query()
	if link.Scheme != "otpauth" || link.Host != "totp" || link.Path != "/Müller  & Söhne?:alice+x@example.com" ||
		q.Get("issuer") != "Müller  & Söhne?" || q.Get("secret") != p.KeyPlain || q.Get("digits") != "6" || q.Get("period") != "30" || q.Get("algorithm") != "SHA1" {
		t.Errorf("link %s", p.Link)
	}
	if strings.Contains(string(p.Link), "+&") || strings.Contains(q.Encode(), "secret=&") || len(p.KeyPlain) != 32 || strings.ReplaceAll(p.Key, " ", "") != p.KeyPlain {
		t.Errorf("key %q, plain %q", p.Key, p.KeyPlain)
	}
	if _, err := m.Show(u, []byte(`{"id":"x","secret":"AAAA"}`)); err == nil {
		t.Error("a short secret was shown")
	}
	compareQR(t, string(p.Link), p.QR)
}

// compareQR draws the path and compares it with the library's picture.
func compareQR(t *testing.T, text string, got QR) {
	t.Helper()
	want, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	n := want.Bounds().Dx()
	if got.Size != n+2*quiet {
		t.Fatalf("size %d, want %d with its quiet zone", got.Size, n+2*quiet)
	}
	drawn := map[image.Point]bool{}
	for run := range strings.SplitSeq(strings.TrimPrefix(got.Path, "M"), "M") {
		var x, y, w int
		if _, err := sscan(run, &x, &y, &w); err != nil {
			t.Fatalf("path run %q: %v", run, err)
		}
		for i := range w {
			drawn[image.Pt(x+i, y)] = true
		}
	}
	for y := range n {
		for x := range n {
			r, _, _, _ := want.At(x, y).RGBA()
			if drawn[image.Pt(x+quiet, y+quiet)] != (r == 0) {
				t.Fatalf("module %d,%d is wrong", x, y)
			}
		}
	}
}

// Full-width digits, spaces and hyphens are how people type.
func TestClean(t *testing.T) {
	m := New(nil, "x")
	for in, want := range map[string]string{"123456": "123456", "１２３ ４５６": "123456", "123-456": "123456"} {
		if got, ok := m.Clean(in); !ok || got != want {
			t.Errorf("%q: %q %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "12345", "1234567", "12345a", "१२३४५६", string(bytes.Repeat([]byte("1"), 10_000))} {
		if got, ok := m.Clean(in); ok {
			t.Errorf("%.20q was taken for the code %q", in, got)
		}
	}
}

func sscan(run string, x, y, w *int) (int, error) { return fmt.Sscanf(run, "%d %dh%dv1", x, y, w) }
