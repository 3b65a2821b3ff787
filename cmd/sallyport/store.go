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
// never creates or migrates one.
func openStore(ctx context.Context, c *cli, file string) (*config.Config, *store.DB, error) {
	cfg, err := config.Load(file, os.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	db, err := openDB(ctx, c, cfg, false)
	return cfg, db, err
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

// localEntry returns the identity entry of type local, nil if there is none.
func localEntry(cfg *config.Config) *config.Identity {
	for i := range cfg.Identity {
		if cfg.Identity[i].Local != nil {
			return &cfg.Identity[i]
		}
	}
	return nil
}

// passwordProvider builds one provider of the config, for looking up accounts.
func passwordProvider(cfg *config.Config, name string) (identity.PasswordProvider, func(), error) {
	for i := range cfg.Identity {
		if cfg.Identity[i].Name != name {
			continue
		}
		if cfg.Identity[i].Local != nil { // its accounts are in our store, each with its user
			return nil, nil, fmt.Errorf("accounts of %s belong to their users from the start: there is nothing to look up", name)
		}
		p, err := gateway.NewProvider(cfg.Identity[i], nil)
		if err != nil {
			return nil, nil, err
		}
		pp, ok := p.(identity.PasswordProvider)
		if !ok {
			return nil, nil, fmt.Errorf("%s cannot look up a sign-in name: give --subject", name)
		}
		return pp, func() { gateway.CloseProvider(p) }, nil
	}
	return nil, nil, fmt.Errorf("no identity entry is called %q", name)
}

// MigrateCmd is `sallyport migrate`.
type MigrateCmd struct {
	Config string `short:"c" help:"Routing file." default:"sallyport.yaml" placeholder:"FILE" env:"SALLYPORT_CONFIG"`
}

// Run creates the database, or brings it up to this version.
func (m *MigrateCmd) Run(c *cli) error {
	ctx := context.Background()
	cfg, err := config.Load(m.Config, os.LookupEnv)
	if err != nil {
		return err
	}
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
