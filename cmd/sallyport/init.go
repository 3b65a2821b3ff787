package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sallyport/config"
	"sallyport/internal/seal"
)

// InitCmd is `sallyport init`.
type InitCmd struct {
	Dir      string `help:"Folder to write to; it is made if missing." required:"" placeholder:"DIR"`
	Portal   string `help:"Host of the sign-in pages." default:"login.example.com" placeholder:"HOST"`
	Host     string `help:"Host of the first app." default:"app.example.com" placeholder:"HOST"`
	Upstream string `help:"Address of the first app." default:"http://127.0.0.1:8080" placeholder:"URL"`
}

// names of what init makes.
const (
	routingFile   = "sallyport.yaml"
	masterKeyFile = "master.key"
)

// Run writes the routing file, the master key and the database. It overwrites
// nothing: a lost master key takes every registered method with it.
func (i *InitCmd) Run(c *cli) (err error) {
	if err := os.MkdirAll(i.Dir, 0o700); err != nil {
		return err
	}
	file, key := filepath.Join(i.Dir, routingFile), filepath.Join(i.Dir, masterKeyFile)
	for _, f := range []string{file, key} {
		if _, err := os.Lstat(f); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already; nothing was changed", f)
		}
	}
	text := config.Starter(config.StarterValues{Portal: i.Portal, Host: i.Host, Upstream: i.Upstream})
	var made []string
	defer func() {
		if err != nil { // half a set-up would be in the way of the next try
			for _, f := range made {
				err = errors.Join(err, os.Remove(f))
			}
		}
	}()
	for _, f := range []struct {
		name string
		text []byte
	}{{key, seal.Generate()}, {file, text}} {
		if err := writeNew(f.name, f.text); err != nil {
			return err
		}
		made = append(made, f.name)
	}
	cfg, err := config.Load(file, os.LookupEnv)
	if err != nil {
		return i.blame(err)
	}
	db, err := openDB(context.Background(), c, cfg, true)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout, file)
	i.next(c, cfg, file)
	return nil
}

// blame turns faults of the file that was just made into those of the flags that
// they came from: the file is gone again.
func (i *InitCmd) blame(err error) error {
	var faults config.Errors
	if !errors.As(err, &faults) {
		return err
	}
	var said []error
	for _, f := range faults {
		flag := "--portal, --host or --upstream"
		for prefix, name := range map[string]string{"server.portal": "--portal", "routes[0].hosts": "--host", "routes[0].upstream": "--upstream"} {
			if strings.HasPrefix(f.Path, prefix) {
				flag = name
			}
		}
		said = append(said, fmt.Errorf("%s: %s; %s", flag, f.Msg, f.Hint))
	}
	return usageError(errors.Join(said...).Error())
}

// writeNew writes a file that only its owner may read and that must not exist.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func (i *InitCmd) next(c *cli, cfg *config.Config, file string) {
	fmt.Fprintf(c.Stderr, `Wrote %s, the master key beside it, and the database %s.

Next:
  1. Keep a copy of %s in a safe place: without it every
     registered authenticator app is lost.
  2. Put your hosts and the app's address where %s says EDIT, then
       sallyport config check --config %s
  3. Add the first user:
       sallyport user add alice --email alice@example.com --password-stdin --config %s
  4. Run it:
       sallyport serve --config %s
`, file, cfg.Store.SQLite, cfg.Secrets.MasterKeyFile, routingFile, file, file, file)
}
