package trim

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Startup lets go of the pages of the program file that only starting up needed.
// The kernel maps them again, one by one, when they are wanted; nothing is lost.
// It returns an error only where the system does not say what is mapped.
func Startup() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("trimming: %w", err)
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("trimming: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		from, to, ok := readOnly(lines.Text(), exe)
		if !ok {
			continue
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("trimming: %w", errno)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("trimming: %w", err)
	}
	return nil
}

// readOnly reads a line of /proc/self/maps and is ok for a mapping of the program
// file that is never written: dropping another one would lose what is in it.
func readOnly(line, exe string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != exe || fields[1] != "r-xp" && fields[1] != "r--p" {
		return 0, 0, false
	}
	a, b, ok := strings.Cut(fields[0], "-")
	if !ok {
		return 0, 0, false
	}
	x, err1 := strconv.ParseUint(a, 16, 64)
	y, err2 := strconv.ParseUint(b, 16, 64)
	return uintptr(x), uintptr(y), err1 == nil && err2 == nil && x < y
}
