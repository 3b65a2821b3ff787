package local

import (
	"context"

	"sallyport"
)

// Store is what local users need of the store.
type Store interface {
	// UserByName returns the user with that folded name or address;
	// sallyport.ErrNotFound.
	UserByName(ctx context.Context, folded string) (sallyport.User, error)
	// PasswordHash returns a user's PHC string; sallyport.ErrNotFound when the
	// user has no local password.
	PasswordHash(ctx context.Context, user sallyport.UserID) (string, error)
	// UpgradePasswordHash replaces the PHC string of the same password (after its
	// parameters were raised) if it is still old. It ends nothing.
	UpgradePasswordHash(ctx context.Context, user sallyport.UserID, old, hash string) error
}
