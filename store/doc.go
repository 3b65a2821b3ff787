// Package store keeps everything that outlives a request: one SQL text over an
// embedded SQLite. *DB satisfies the Store interfaces of the packages that use it.
package store
