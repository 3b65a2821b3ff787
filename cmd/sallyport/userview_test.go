package main

import (
	"testing"

	"sallyport"
)

// Lanes are our own word; an admin reads which sign-ins are stopped.
func TestLocksInWords(t *testing.T) {
	for lane, want := range map[sallyport.Lane]string{
		sallyport.LaneOther:            "verification, for sign-ins from new browsers and addresses",
		sallyport.LaneTrusted:          "verification, for sign-ins from trusted addresses",
		sallyport.LaneDevice + ":019a": "verification, for sign-ins with the remembered device 019a",
		"later\x1b":                    "verification, in lane later\uFFFD",
	} {
		if got := describeLock(sallyport.LockedLane{Kind: sallyport.AttemptVerification, Lane: lane}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := reason("verification in lane " + string(lane)); got != want {
			t.Errorf("in the audit log: %q, want %q", got, want)
		}
	}
	if got := reason("wrong-password"); got != "wrong-password" {
		t.Errorf("%q", got)
	}
}
