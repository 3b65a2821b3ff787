package parts_test

import (
	"testing"
	"time"

	"sallyport/internal/parts"
)

// The secrets and codes of RFC 6238, appendix B.
func TestOATHTool(t *testing.T) {
	const sha1Secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	const sha256Secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA===="
	if got := parts.OATHTool(t, sha1Secret, time.Unix(59, 0), "--digits=8"); got != "94287082" {
		t.Errorf("SHA-1: %s", got)
	}
	if got := parts.OATHTool(t, sha1Secret, time.Unix(1111111109, 0)); got != "081804" {
		t.Errorf("six digits: %s", got)
	}
	if got := parts.OATHTool(t, sha256Secret, time.Unix(1111111109, 0), "--totp=sha256", "--digits=8"); got != "68084774" {
		t.Errorf("SHA-256: %s", got)
	}
}
