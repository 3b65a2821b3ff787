package sallyport

import (
	"encoding/base64"
	"regexp"
	"slices"
	"testing"
)

func TestNewIDSortsByTime(t *testing.T) {
	v7 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = NewID()
		if !v7.MatchString(ids[i]) {
			t.Fatalf("%q is no UUIDv7", ids[i])
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(ids)) != len(ids) {
		t.Error("IDs repeat or do not sort by the time they were made")
	}
}

func TestNewToken(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		tok := NewToken()
		b, err := base64.RawURLEncoding.DecodeString(tok)
		if err != nil || len(b) != TokenBytes || len(tok) != 43 || seen[tok] {
			t.Fatalf("token %q: %d bytes, %v", tok, len(b), err)
		}
		seen[tok] = true
	}
}

// F2: a token with a byte more or less is another token.
func TestHashTokenTellsSimilarTokensApart(t *testing.T) {
	tok := NewToken()
	seen := map[TokenHash]string{HashToken(tok): tok}
	for _, other := range []string{"", tok[:42], tok + "A", tok + "=", " " + tok, tok + "\n"} {
		h := HashToken(other)
		if with, ok := seen[h]; ok {
			t.Errorf("%q and %q share a hash", other, with)
		}
		seen[h] = other
	}
	if h := HashToken(tok); seen[h] != tok || h.String() == tok || len(h.String()) != 43 {
		t.Error("hash of a token")
	}
}
