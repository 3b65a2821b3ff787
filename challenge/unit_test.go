package challenge

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestNormalizeCode(t *testing.T) {
	for in, want := range map[string]string{
		"123456": "123456", " 123 456 ": "123456", "123-456": "123456", "１２３４５６": "123456", "１２３　４５６": "123456",
		"123ー456": "123456", "123−456": "123456", "4F7KQ-2MZC9": "4f7kq2mzc9", "ａｂｃ": "abc", "12\u200b34": "1234", "": "",
	} {
		if got := NormalizeCode(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func FuzzNormalizeCode(f *testing.F) {
	f.Add("１２３ー456")
	f.Fuzz(func(t *testing.T, s string) {
		n := NormalizeCode(s)
		if len(n) > maxTyped {
			t.Fatalf("%d bytes of a code", len(n))
		}
	})
}

// Bursts of n pass, then one each minute/n; the map stays within its bound,
// whatever is thrown at it.
func TestThrottlePasses(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	th := newThrottle(6)
	th.max = 100
	for range 6 {
		if _, ok := th.pass("a", now); !ok {
			t.Fatal("refused within the burst")
		}
	}
	if wait, ok := th.pass("a", now); ok || wait != 10*time.Second {
		t.Errorf("the seventh: %v after %s, want to wait 10s", ok, wait)
	}
	if _, ok := th.pass("a", now.Add(10*time.Second)); !ok {
		t.Error("refused after the wait")
	}
	for i := range 10_000 {
		th.pass(fmt.Sprint(i), now.Add(time.Duration(i)*time.Millisecond))
		if len(th.due) > 100 {
			t.Fatalf("%d keys kept, want at most 100", len(th.due))
		}
	}
	if _, ok := newThrottle(0).pass("a", now); !ok {
		t.Error("a throttle of 0 must let all through")
	}
}

func TestAddressKey(t *testing.T) {
	same := [][2]string{{"2001:db8::1", "2001:db8::ffff:1"}, {"::ffff:192.0.2.1", "192.0.2.1"}, {"fe80::1%eth0", "fe80::2%eth1"}}
	for _, p := range same {
		if a, b := addressKey(netip.MustParseAddr(p[0])), addressKey(netip.MustParseAddr(p[1])); a != b {
			t.Errorf("%s and %s are %q and %q, want one key", p[0], p[1], a, b)
		}
	}
	if addressKey(netip.MustParseAddr("192.0.2.1")) == addressKey(netip.MustParseAddr("192.0.2.2")) {
		t.Error("two IPv4 addresses share a key")
	}
	if addressKey(netip.Addr{}) != "unknown" {
		t.Error("an unknown address has no key")
	}
}

func TestCleanName(t *testing.T) {
	long := ""
	for range maxName {
		long += "名"
	}
	for in, ok := range map[string]bool{"": true, " My phone ": true, long: true, long + "名": false, "a\nb": false,
		"a\u202eb": false, "a\x00": false, "\xff": false, "📱": true} {
		if _, got := CleanName(in); got != ok {
			t.Errorf("%q: %v, want %v", in, got, ok)
		}
	}
}
