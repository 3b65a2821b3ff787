package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"sallyport"
	"sallyport/identity"
	"sallyport/internal/seal"
	"sallyport/internal/secret"
)

// ref is a file that a setting names.
type ref struct {
	path string // of the setting
	file *string
}

// exists tells what must be there when the gateway starts; the rest is made.
func (r ref) exists() bool {
	return strings.HasSuffix(r.path, "_file") || strings.HasPrefix(r.path, cataloguePath)
}

// secret tells whether the file holds a secret: the setting without `_file` is
// one, or it is the key of a certificate.
func (r ref) secret() bool {
	for _, end := range []string{"secret_file", "password_file", "key_file"} {
		if strings.HasSuffix(r.path, end) {
			return true
		}
	}
	return false
}

// cataloguePath begins the paths of catalogue files.
const cataloguePath = "ui.catalogues["

// findRefs returns the settings that name files: every `*_file` and `*_dir`, and
// the few whose keys are plain.
func (c *Config) findRefs() []ref {
	var out []ref
	walkRefs(reflect.ValueOf(c).Elem(), "", &out)
	return out
}

func walkRefs(v reflect.Value, path string, out *[]ref) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch {
	case v.Type() == reflect.TypeFor[secret.String]():
	case v.Kind() == reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			walkRefs(v.FieldByIndex(f.Index), join(path, f.Key), out)
		}
		if id, ok := v.Addr().Interface().(*Identity); ok && id.Variant() != nil {
			walkRefs(reflect.ValueOf(id.Variant()), path, out)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			walkRefs(v.Index(i), index(path, i), out)
		}
	case v.Kind() == reflect.String && namesFile(path) && v.String() != "":
		*out = append(*out, ref{path: path, file: v.Addr().Interface().(*string)})
	}
}

func namesFile(path string) bool {
	return strings.HasSuffix(path, "_file") || strings.HasSuffix(path, "_dir") ||
		path == "store.sqlite" || path == "audit.file" || strings.HasPrefix(path, cataloguePath)
}

// absolute makes relative paths those in the folder of the routing file, so that
// it does not matter where the program was started.
func (c *Config) absolute(dir string) {
	for _, r := range c.findRefs() {
		if !filepath.IsAbs(*r.file) {
			*r.file = filepath.Join(dir, *r.file)
		}
	}
}

// Files lists what the configuration was read from: the routing file itself and
// every file that must exist. A change of any of them asks for a reload.
func (c *Config) Files() []string {
	out := []string{c.origin.file}
	for _, r := range c.findRefs() {
		if r.exists() && !slices.Contains(out, *r.file) {
			out = append(out, *r.file)
		}
	}
	return out
}

// Keyring returns the keyring of the master key.
func (c *Config) Keyring() (*seal.Keyring, error) {
	if c.Secrets.MasterKeyFile != "" {
		return seal.ReadFile(c.Secrets.MasterKeyFile)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(c.Secrets.MasterKey.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("the master key is not base64 of %d bytes", seal.KeySize)
	}
	return seal.New(key)
}

// checkFiles faults files that are missing or are not what their setting says,
// and returns doubts about those that can be used. The gateway must not start
// without a CA or a secret that it was told to use (C7).
func (c *Config) checkFiles(errs *Errors, s *shape) sallyport.FieldErrors {
	var faults, doubts sallyport.FieldErrors
	for _, r := range c.findRefs() {
		if s.reported(r.path) {
			continue
		}
		if !r.exists() {
			checkFolder(&faults, r)
			continue
		}
		info, err := os.Stat(*r.file)
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("not a file") // a folder, or a pipe that would never end
		}
		if err == nil {
			err = readable(*r.file)
		}
		if err != nil {
			faults.Add(r.path, "check the path; relative ones begin in the folder of the routing file", "%s: %v", *r.file, reason(err))
			continue
		}
		checkMode(&faults, &doubts, r, info.Mode())
		checkContent(&faults, r)
	}
	c.checkCatalogues(&faults, &doubts, s)
	if !s.reported("tls") {
		c.checkPairs(&faults, &doubts)
	}
	if !s.reported("secrets.master_key") && c.Secrets.MasterKeyFile == "" && !c.Secrets.MasterKey.Empty() {
		if _, err := c.Keyring(); err != nil {
			faults.Add("secrets.master_key", "write 32 random bytes in base64; `sallyport init` makes a key", "%v", err)
		}
	}
	s.add(errs, faults)
	return doubts
}

func readable(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return f.Close()
}

// checkFolder faults a file that could not be made, since its folder is missing.
func checkFolder(faults *sallyport.FieldErrors, r ref) {
	dir := filepath.Dir(*r.file)
	if info, err := os.Stat(dir); err != nil {
		faults.Add(r.path, "create the folder, owned by the user that runs the gateway", "%s: %v", dir, reason(err))
	} else if !info.IsDir() {
		faults.Add(r.path, "name a file in a folder that is there", "%s is not a folder", dir)
	} else if strings.HasSuffix(r.path, "_dir") {
		checkMakable(faults, r, dir)
	}
}

// checkMakable faults a folder of the gateway's own that it could not write to,
// or not make in dir. Without this it would fail at the start, and not say which
// setting to look at.
func checkMakable(faults *sallyport.FieldErrors, r ref, dir string) {
	const hint = "name a folder that the gateway's user may write to, such as `/var/lib/sallyport/certificates`"
	switch info, err := os.Stat(*r.file); {
	case errors.Is(err, fs.ErrNotExist):
		if err := writable(dir); err != nil {
			faults.Add(r.path, hint, "%s cannot be made: %s: %v", *r.file, dir, err)
		}
	case err != nil:
		faults.Add(r.path, hint, "%s: %v", *r.file, reason(err))
	case !info.IsDir():
		faults.Add(r.path, hint, "%s is not a folder", *r.file)
	default:
		if err := writable(*r.file); err != nil {
			faults.Add(r.path, hint, "%s cannot be written to: %v", *r.file, err)
		}
	}
}

// checkMode looks at who else may read a secret. For the master key that is a
// fault: with it, a copy of the database is enough to verify as anybody.
func checkMode(faults, doubts *sallyport.FieldErrors, r ref, mode fs.FileMode) {
	if runtime.GOOS == "windows" || !r.secret() {
		return
	}
	switch {
	case strings.HasSuffix(r.path, "master_key_file") && mode.Perm()&0o077 != 0:
		faults.Add(r.path, "chmod 600 "+*r.file, "%s can be read by others than its owner (mode %04o)", *r.file, mode.Perm())
	case mode.Perm()&0o007 != 0:
		doubts.Add(r.path, "chmod o= "+*r.file, "%s can be read by everybody on this machine (mode %04o)", *r.file, mode.Perm())
	}
}

// checkContent faults a file that does not hold what its setting says.
func checkContent(faults *sallyport.FieldErrors, r ref) {
	var err error
	hint := ""
	switch {
	case strings.HasSuffix(r.path, "master_key_file"):
		_, err = seal.ReadFile(*r.file)
		hint = "it holds 32 random bytes in base64; `sallyport init` makes one"
	case strings.HasSuffix(r.path, "ca_file"):
		_, err = identity.Roots(*r.file)
		hint = "it holds certificates in PEM form"
	case strings.HasSuffix(r.path, "secret_file"), strings.HasSuffix(r.path, "password_file"):
		_, err = identity.Secret(secret.String{}, *r.file)
		hint = "it holds the secret and nothing else"
	}
	if err != nil {
		faults.Add(r.path, hint, "%v", err)
	}
}
