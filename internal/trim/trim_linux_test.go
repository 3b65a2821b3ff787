package trim

import (
	"os"
	"testing"
)

// Only mappings of the program file that are never written are let go: anything
// else would lose what is in it.
func TestReadOnly(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-00452000 r-xp 00000000 08:02 173521 /usr/bin/sp":    true,
		"00651000-00652000 r--p 00051000 08:02 173521 /usr/bin/sp":    true,
		"00652000-00655000 rw-p 00052000 08:02 173521 /usr/bin/sp":    false,
		"00652000-00655000 r-xs 00052000 08:02 173521 /usr/bin/sp":    false,
		"35b1800000-35b1820000 r-xp 00000000 08:02 135522 /lib/ld.so": false,
		"7ffc0000-7ffd0000 r--p 00000000 00:00 0":                     false,
		"00400000 r-xp 00000000 08:02 173521 /usr/bin/sp":             false,
		"00452000-00400000 r-xp 00000000 08:02 173521 /usr/bin/sp":    false,
		"": false,
	} {
		if _, _, ok := readOnly(line, "/usr/bin/sp"); ok != want {
			t.Errorf("%q: %v, want %v", line, ok, want)
		}
	}
}

// The program goes on running afterwards.
func TestStartup(t *testing.T) {
	if err := Startup(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("."); err != nil {
		t.Fatal(err)
	}
}
