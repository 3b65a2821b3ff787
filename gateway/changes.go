package gateway

import (
	"context"

	"sallyport"
	"sallyport/store"
)

// sessionStore is the store as sessions use it. They are the ones that look for
// changes, so a key that another process made is seen on the same way: it must be
// published here soon after it is there, whatever the clock of that process says.
type sessionStore struct {
	*store.DB
	keysChanged func()
}

// Changes implements session.Store.
func (s sessionStore) Changes(ctx context.Context, after int64) ([]sallyport.Change, int64, error) {
	changes, seq, err := s.DB.Changes(ctx, after)
	for _, c := range changes {
		if c.Kind == sallyport.ChangeKeys {
			s.keysChanged()
			break
		}
	}
	return changes, seq, err
}
