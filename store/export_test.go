package store

// For tests that need other migrations than the embedded ones.
var (
	OpenWith       = open
	MigrationFiles = migrationFiles
)
