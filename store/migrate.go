package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrationFiles embed.FS

// versionTable is where goose notes what it applied.
const versionTable = "schema_versions"

// migrate brings the schema up to date, or, without create, refuses any other
// than the current one.
func (db *DB) migrate(ctx context.Context, create bool, migrations fs.FS) error {
	current, target, err := db.versions(ctx, migrations)
	if err != nil {
		return err
	}
	switch {
	case current > target:
		return fmt.Errorf("%s: %w (schema %d, this program knows %d): install the later version again, or restore a backup of before it",
			db.file, ErrNewDatabase, current, target)
	case current == target:
		return nil
	case !create:
		return fmt.Errorf("%s: %w (schema %d, this program needs %d): run `sallyport migrate`",
			db.file, ErrOldDatabase, current, target)
	}
	applied, err := db.migrateUp(ctx, db.write, migrations)
	if err != nil {
		// Another process may have been at it in the same moment.
		if now, _, verr := db.versions(ctx, migrations); verr == nil && now == target {
			return nil
		}
		return err
	}
	db.log.Info("database migrated", "file", db.file, "from", current, "to", target, "steps", applied)
	return nil
}

func (db *DB) versions(ctx context.Context, migrations fs.FS) (current, target int64, err error) {
	p, err := db.provider(db.write, migrations)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range p.ListSources() {
		target = max(target, s.Version)
	}
	// Asked directly: goose would create its table while asking.
	err = db.write.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+versionTable).Scan(&current)
	return current, target, dbErr("read the schema version", err)
}

func (db *DB) migrateUp(ctx context.Context, pool *sql.DB, migrations fs.FS) (int, error) {
	p, err := db.provider(pool, migrations)
	if err != nil {
		return 0, err
	}
	done, err := p.Up(ctx)
	if err != nil {
		if partial := (*goose.PartialError)(nil); errors.As(err, &partial) {
			done = partial.Applied
		}
		return len(done), dbErr("migrate", err)
	}
	return len(done), nil
}

func (db *DB) provider(pool *sql.DB, migrations fs.FS) (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, "migrations/"+db.dialect.name)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	p, err := goose.NewProvider(db.dialect.kind, pool, sub,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithSlog(db.log))
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	return p, nil
}
