//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// privateModes: file modes mean something here.
const privateModes = true

// ownLike gives f the owner and group of the folder, so that what root creates
// with a command stays usable by the service. Without the right to do so, f
// keeps the owner who created it.
func ownLike(f *os.File, dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}

// syncDir makes a new name in the folder survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
