package store_test

import (
	"testing"
	"time"

	"sallyport/store"
	"sallyport/store/storetest"
)

func TestContract(t *testing.T) { storetest.Run(t, storetest.New) }

func TestContention(t *testing.T) {
	storetest.Contention(t, func(t testing.TB, now func() time.Time) (a, b *store.DB) {
		file := storetest.NewFile(t)
		return storetest.Open(t, file, now), storetest.Open(t, file, now)
	})
}
