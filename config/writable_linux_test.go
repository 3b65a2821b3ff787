package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// asSomebody runs do as a user without privileges asks the system what it may: as
// root everything can be written to. Only the thread of do changes its user, and
// ends with it.
func asSomebody(t *testing.T, do func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			const nobody, keep = 65534, ^uintptr(0)
			if _, _, e := syscall.RawSyscall(syscall.SYS_SETREUID, nobody, keep, 0); e != 0 {
				done <- e
				return
			}
		}
		do()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A folder for certificates that the gateway cannot write to is told before it
// starts, with the setting and its line.
func TestACMEFolderThatCannotBeWritten(t *testing.T) {
	dir, closed := folder(t), t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the test's own, that somebody gets to what is in it
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(closed, "there"), 0o555); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o555); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil { // whatever the umask
		t.Fatal(err)
	}
	for storage, want := range map[string]string{
		filepath.Join(closed, "certificates"): "sallyport.yaml:5:23: " + filepath.Join(closed, "certificates") + " cannot be made: " + closed + ": permission denied",
		filepath.Join(closed, "there"):        "sallyport.yaml:5:23: " + filepath.Join(closed, "there") + " cannot be written to: permission denied",
		filepath.Join(open, "certificates"):   "",
		open:                                  "",
	} {
		asSomebody(t, func() {
			_, err := loadIn(t, dir, strings.Replace(good, "  internal: true", "  acme: {storage_dir: "+storage+"}", 1))
			if errs, ok := errors.AsType[Errors](err); want == "" && err != nil || want != "" && (!ok || len(errs) != 1 || !strings.Contains(errs.Render(), want)) {
				t.Errorf("%s: %v", storage, err)
			}
		})
	}
}
