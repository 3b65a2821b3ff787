package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"sallyport/audit"
	"sallyport/config"
	"sallyport/gateway"
	"sallyport/identity"
	"sallyport/store"
)

// openStore opens the database of a routing file beside a running gateway. It
// never creates or migrates one. Faults elsewhere in the file are told, and do not
// keep an admin from acting.
func openStore(ctx context.Context, c *cli, file string) (*config.Partial, *store.DB, error) {
	part, err := loadPartly(c, file)
	if err != nil {
		return nil, nil, err
	}
	db, err := openDB(ctx, c, storeConfig(c, part), false)
	return part, db, err
}

// loadPartly reads what opening the database takes, and prints the faults of the
// rest as warnings.
func loadPartly(c *cli, file string) (*config.Partial, error) {
	part, err := config.LoadPartly(file, os.LookupEnv)
	var faults config.Errors
	if errors.As(err, &faults) && faults[0].Line > 0 { // the file was there
		fmt.Fprintln(c.Stderr, "sallyport: this command must be sure of `version`, `store` and `secrets`:")
	}
	if err != nil {
		return nil, err
	}
	if n := len(part.Faults); n > 0 {
		fmt.Fprintf(c.Stderr, "%s\nwarning: %s in %s, passed over: nothing that they touch is used\n",
			part.Faults.Render(), count(n, "fault"), file)
	}
	return part, nil
}

// storeConfig is what openDB takes.
func storeConfig(c *cli, part *config.Partial) *config.Config {
	cfg, audited := part.ForStore()
	if !audited {
		fmt.Fprintln(c.Stderr, "warning: `audit` has a fault: events of this command go to the database alone, not to `audit.file`")
	}
	return cfg
}

func openDB(ctx context.Context, c *cli, cfg *config.Config, create bool) (*store.DB, error) {
	keys, err := cfg.Keyring()
	if err != nil {
		return nil, err
	}
	var sinks []audit.Sink
	if cfg.Audit.File != "" {
		f, err := audit.OpenFile(cfg.Audit.File, func(err error) { fmt.Fprintln(c.Stderr, "sallyport: audit file:", err) })
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, f)
	}
	node, err := os.Hostname()
	if err != nil {
		node = "unknown"
	}
	return store.Open(ctx, cfg.Store, store.Options{Keys: keys, Create: create, Now: c.Now, Sinks: sinks, Node: node,
		Retention: gateway.Retention(cfg), Log: slog.New(slog.NewTextHandler(c.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
}

// passwordProvider builds one provider of the config, for looking up accounts.
func passwordProvider(entry *config.Identity) (identity.PasswordProvider, func(), error) {
	p, err := gateway.NewProvider(*entry, nil)
	if err != nil {
		return nil, nil, err
	}
	pp, ok := p.(identity.PasswordProvider)
	if !ok {
		return nil, nil, fmt.Errorf("%s cannot look up a sign-in name: give --subject", entry.Name)
	}
	return pp, func() { gateway.CloseProvider(p) }, nil
}

// MigrateCmd is `sallyport migrate`.
type MigrateCmd struct {
	Config string `short:"c" help:"Routing file (default: sallyport.yaml in this folder)." default:"sallyport.yaml" placeholder:"FILE" env:"SALLYPORT_CONFIG"`
}

// Run creates the database, or brings it up to this version.
func (m *MigrateCmd) Run(c *cli) error {
	ctx := context.Background()
	part, err := loadPartly(c, m.Config)
	if err != nil {
		return err
	}
	cfg := storeConfig(c, part)
	db, err := openDB(ctx, c, cfg, true)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Stderr, "the database %s is of this version\n", cfg.Store.SQLite)
	return db.Close()
}

// BackupCmd is `sallyport backup`.
type BackupCmd struct {
	adminFlags
	File string `arg:"" help:"File to write; it must not exist."`
}

// Run writes the copy.
func (b *BackupCmd) Run(c *cli) error {
	ctx := context.Background()
	_, db, err := openStore(ctx, c, b.Config)
	if err != nil {
		return err
	}
	ev := audit.New(c.Now(), audit.BackupMade, audit.Success)
	ev.Actor, ev.Reason, ev.After = actor(), b.Reason, b.File
	if err := errors.Join(db.Backup(ctx, b.File, ev), db.Close()); err != nil {
		return err
	}
	return b.print(c, map[string]string{"file": b.File},
		"wrote %s; keep the master key too, and apart from it: without it the copy is worth nothing\n", b.File)
}
