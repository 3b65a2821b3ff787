package gateway_test

import (
	"strings"
	"testing"
	"time"

	"sallyport/audit"
	"sallyport/sallyporttest"
)

// The event of a reload that failed says what was wrong and where, in one line, so
// that whoever reads the audit log need not look for the log of that day.
func TestFailedReloadIsRecordedWithItsFault(t *testing.T) {
	g := sallyporttest.New(t, sallyporttest.Options{})
	rewrite(t, g, func(s string) string {
		return strings.Replace(s, "preserve_host", "preserv_host", 1) + strings.Repeat("x: 1\n", 100)
	})
	var last []audit.Event
	sallyporttest.Eventually(t, 5*time.Second, "the failure is recorded", func() bool {
		var err error
		if last, err = g.Store().Events(t.Context(), audit.Filter{Kind: audit.ConfigReloaded, Result: audit.Failure}); err != nil {
			t.Fatal(err)
		}
		return len(last) > 0
	})
	got := last[0].Reason
	if !strings.HasPrefix(got, "file changed: ") || !strings.Contains(got, "unknown key `preserv_host`, did you mean `preserve_host`?") ||
		strings.Contains(got, "\n") || len([]rune(got)) > 1100 {
		t.Errorf("the event says %q", got)
	}
}
