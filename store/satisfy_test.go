package store_test

import (
	"sallyport/account"
	"sallyport/admin"
	"sallyport/challenge"
	"sallyport/identity/local"
	"sallyport/session"
	"sallyport/store"
)

// One store serves every package that declares what it needs.
var (
	_ session.Store   = (*store.DB)(nil)
	_ challenge.Store = (*store.DB)(nil)
	_ account.Store   = (*store.DB)(nil)
	_ admin.Store     = (*store.DB)(nil)
	_ local.Store     = (*store.DB)(nil)
)
