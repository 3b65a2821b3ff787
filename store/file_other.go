//go:build !unix

package store

import "os"

// privateModes: access is ruled by the folder's access list.
const privateModes = false

// ownLike does nothing: a new file inherits from its folder.
func ownLike(*os.File, string) error { return nil }

// syncDir does nothing: folders cannot be synced here.
func syncDir(string) error { return nil }
