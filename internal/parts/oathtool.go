package parts

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// OATHTool returns what oathtool computes for a secret in base32: by default the
// TOTP code (SHA-1, six digits, 30 seconds) at a point in time. More arguments,
// such as "--totp=sha256" and "--digits=8", are handed on; with "--window=2" it
// prints one code per line.
func OATHTool(t testing.TB, base32secret string, at time.Time, args ...string) string {
	t.Helper()
	tool := needProgram(t, installHint+" (Debian: apt-get install oathtool)", "oathtool")
	all := []string{"--base32", "--now=" + at.UTC().Format("2006-01-02 15:04:05 UTC")}
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--totp") }) {
		all = append(all, "--totp") // it refuses to be told twice
	}
	all = append(all, args...)
	cmd := exec.Command(tool, append(all, "-")...)
	cmd.Stdin = strings.NewReader(base32secret + "\n") // not on the command line, where others see it
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("oathtool %v: %v\n%s", all, err, out)
	}
	return strings.TrimSpace(string(out))
}
