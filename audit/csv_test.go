package audit

import (
	"strings"
	"testing"
)

// H5: a user name that is a formula ran in the spreadsheet of whoever opened the
// export.
func TestCSVFormulaInjection(t *testing.T) {
	for _, bad := range []string{
		`=cmd|'/c calc'!A0`, `+1+1`, `-2+3`, `@SUM(A1)`, "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\u3000＝1", "＝1", "＠x", "|x", "%0A",
		"\tx",
	} {
		if got := CSVCell(bad); got != "'"+bad {
			t.Errorf("%q became %q", bad, got)
		}
	}
	for _, good := range []string{"", "alice", "a=b", "alice@example.com", "192.0.2.1", "日本語", "   "} {
		if got := CSVCell(good); got != good {
			t.Errorf("%q became %q", good, got)
		}
	}
}

func TestNew(t *testing.T) {
	a, b := New(at.Local(), SignOut, Success), New(at, SignOut, Success)
	if a.ID == b.ID || a.ID == "" || !strings.HasSuffix(a.Time.String(), "UTC") || a.Kind != SignOut || a.Result != Success {
		t.Errorf("%+v, %+v", a, b)
	}
}
