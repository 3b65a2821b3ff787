package store_test

import (
	"bytes"
	"os"
	"testing"

	"sallyport"
	"sallyport/store/storetest"
)

// A secret in the file is of no use to whoever reads it, and one that is moved to
// another row, by somebody who can write the file, opens nothing.
func TestSecretsAreSealedToTheirRow(t *testing.T) {
	file, clock := storetest.NewFile(t), storetest.NewClock()
	db := storetest.Open(t, file, clock.Now)
	u, _, _ := alice(t, db, clock)
	const plain = "JBSWY3DPEHPK3PXPJBSWY3DP"
	for _, id := range []sallyport.MethodID{"m1", "m2"} {
		must(t, db.RegisterMethod(t.Context(), sallyport.Method{ID: id, UserID: u.ID, Kind: sallyport.KindTOTP, Secret: []byte(plain)}, 5, nil))
	}
	f := storetest.NewFlow(u.ID, clock.Now())
	f.Data = []byte(plain)
	must(t, db.CreateFlow(t.Context(), f))
	k := storetest.NewSigningKey("k", clock.Now())
	k.PKCS8 = []byte(plain)
	must(t, db.CreateSigningKey(t.Context(), k, clock.Now()))
	for _, name := range []string{file, file + "-wal"} {
		b, err := os.ReadFile(name)
		must(t, err)
		if bytes.Contains(b, []byte(plain)) {
			t.Errorf("%s holds a secret in plain text", name)
		}
	}

	must(t, raw(t, file, `UPDATE methods SET secret = (SELECT secret FROM methods WHERE id = 'm1') WHERE id = 'm2'`))
	_, err := db.Methods(t.Context(), u.ID)
	must(t, err, sallyport.ErrUnavailable)
	must(t, raw(t, file, `UPDATE flows SET data = (SELECT secret FROM methods WHERE id = 'm1')`))
	_, err = db.Flow(t.Context(), f.ID, clock.Now())
	must(t, err, sallyport.ErrUnavailable)
	must(t, raw(t, file, `UPDATE signing_keys SET kid = 'other'`))
	_, err = db.SigningKeys(t.Context())
	must(t, err, sallyport.ErrUnavailable)
}

// A row that cannot be read back is no reason to let anybody in.
func TestDamagedRowsGrantNothing(t *testing.T) {
	file, clock := storetest.NewFile(t), storetest.NewClock()
	db := storetest.Open(t, file, clock.Now)
	_, _, k := alice(t, db, clock)
	for _, q := range []string{
		`UPDATE tokens SET proofs = 'not JSON'`,
		`UPDATE tokens SET proofs = '[]'; UPDATE sessions SET address = 'nowhere'`,
		`UPDATE sessions SET address = '', expires_at = 'never'`,
	} {
		must(t, raw(t, file, q))
		g, err := db.Grant(t.Context(), k.Hash, clock.Now())
		must(t, err, sallyport.ErrUnavailable)
		if g != nil {
			t.Errorf("%s: a grant", q)
		}
	}
}
