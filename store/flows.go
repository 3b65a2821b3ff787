package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"sallyport"
	"sallyport/audit"
)

// expireBatch bounds one call of ExpireFlows.
const expireBatch = 1000

// flowBody is the part of a flow that no query looks into.
type flowBody struct {
	Browser   []byte             `json:"browser"`
	ReturnURL string             `json:"return_url,omitempty"`
	Route     string             `json:"route,omitempty"`
	State     []byte             `json:"state"`
	Need      sallyport.Need     `json:"need"`
	Step      string             `json:"step,omitempty"`
	Provider  string             `json:"provider,omitempty"`
	Groups    []string           `json:"groups,omitempty"`
	Proofs    []sallyport.Proof  `json:"proofs,omitempty"`
	DeviceID  sallyport.DeviceID `json:"device,omitempty"`
	Remember  bool               `json:"remember,omitempty"`
	Lane      sallyport.Lane     `json:"lane,omitempty"`
	Resume    string             `json:"resume,omitempty"`
}

func bodyOf(f *sallyport.Flow) string {
	return text(flowBody{
		Browser: f.Browser[:], ReturnURL: f.ReturnURL, Route: f.Route, State: f.State[:], Need: f.Need, Step: f.Step,
		Provider: f.Provider, Groups: f.Groups, Proofs: f.Proofs, DeviceID: f.DeviceID, Remember: f.Remember,
		Lane: f.Lane, Resume: f.Resume,
	})
}

func (b *flowBody) into(f *sallyport.Flow) error {
	if len(b.Browser) != len(f.Browser) || len(b.State) != len(f.State) {
		return damaged("flow "+string(f.ID), fmt.Errorf("a hash of %d or %d bytes", len(b.Browser), len(b.State)))
	}
	copy(f.Browser[:], b.Browser)
	copy(f.State[:], b.State)
	f.ReturnURL, f.Route, f.Need, f.Step = b.ReturnURL, b.Route, b.Need, b.Step
	f.Provider, f.Groups, f.Proofs, f.DeviceID = b.Provider, b.Groups, b.Proofs, b.DeviceID
	f.Remember, f.Lane, f.Resume = b.Remember, b.Lane, b.Resume
	return nil
}

const flowColumns = `SELECT id, user_id, body, data, created_at, expires_at, version FROM flows`

// scanFlow reads a row of flowColumns; Data stays sealed.
func scanFlow(scan func(...any) error) (*sallyport.Flow, error) {
	f, b := &sallyport.Flow{}, flowBody{}
	err := scan(&f.ID, &f.UserID, jsonCol{&b}, &f.Data, timeCol{&f.CreatedAt}, timeCol{&f.ExpiresAt}, &f.Version)
	if err != nil {
		return nil, err
	}
	return f, b.into(f)
}

func (db *DB) sealFlow(f *sallyport.Flow) []byte {
	return db.keys.Seal(f.Data, "flows", "data", string(f.ID))
}

// CreateFlow inserts a flow; Data is sealed.
func (db *DB) CreateFlow(ctx context.Context, f *sallyport.Flow, events ...audit.Event) error {
	return db.change(ctx, "create flow", func(t *tx) error {
		t.log(events...)
		_, err := t.exec(`INSERT INTO flows (id, user_id, body, data, created_at, expires_at, version)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			string(f.ID), string(f.UserID), bodyOf(f), db.sealFlow(f), micros(f.CreatedAt), micros(f.ExpiresAt), f.Version)
		return err
	})
}

// Flow returns a flow that has not expired.
func (db *DB) Flow(ctx context.Context, id sallyport.FlowID, now time.Time) (*sallyport.Flow, error) {
	flows, err := list(db.query(ctx, "flow", flowColumns+` WHERE id = $1 AND expires_at > $2`, string(id), micros(now)), scanFlow)
	if err != nil {
		return nil, err
	}
	if len(flows) == 0 {
		return nil, fmt.Errorf("store: flow: %w", sallyport.ErrNotFound)
	}
	f := flows[0]
	if f.Data, err = db.keys.Open(f.Data, "flows", "data", string(f.ID)); err != nil {
		return nil, damaged("data of flow "+string(f.ID), err)
	}
	return f, nil
}

// SaveFlow writes f if its Version is still the stored one, and raises it.
func (db *DB) SaveFlow(ctx context.Context, f *sallyport.Flow, events ...audit.Event) error {
	err := db.change(ctx, "save flow", func(t *tx) error {
		n, err := t.exec(`UPDATE flows SET user_id = $3, body = $4, data = $5, expires_at = $6, version = version + 1
			WHERE id = $1 AND version = $2`,
			string(f.ID), f.Version, string(f.UserID), bodyOf(f), db.sealFlow(f), micros(f.ExpiresAt))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("store: save flow: %w", sallyport.ErrConflict)
		}
		t.log(events...)
		return nil
	})
	if err == nil {
		f.Version++
	}
	return err
}

// FinishFlow removes a flow of that version.
func (db *DB) FinishFlow(ctx context.Context, f *sallyport.Flow, events ...audit.Event) error {
	return db.change(ctx, "finish flow", func(t *tx) error {
		n, err := t.exec(`DELETE FROM flows WHERE id = $1 AND version = $2`, string(f.ID), f.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("store: finish flow: %w", sallyport.ErrConflict)
		}
		t.log(events...)
		return nil
	})
}

// ExpireFlows removes up to 1000 expired flows. summary makes the events of each;
// it gets the flow without its Data and may read from the store, not write.
func (db *DB) ExpireFlows(ctx context.Context, now time.Time, summary func(*sallyport.Flow) []audit.Event) (int, error) {
	n := 0
	err := db.change(ctx, "expire flows", func(t *tx) error {
		flows, err := list(t.query(flowColumns+` WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`, micros(now), expireBatch), scanFlow)
		if err != nil {
			return err
		}
		for _, f := range flows {
			f.Data = nil
			if err := t.must(`DELETE FROM flows WHERE id = $1`, string(f.ID)); err != nil {
				return err
			}
			if summary != nil {
				t.log(summary(f)...)
			}
		}
		n = len(flows)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// expireFlows ends the user's sign-ins that are under way: none of their steps
// can be saved or finished any more, and their summary follows as for any flow
// that expires.
func (t *tx) expireFlows(user sallyport.UserID, at time.Time) error {
	_, err := t.exec(`UPDATE flows SET expires_at = $2, version = version + 1 WHERE user_id = $1 AND expires_at > $2`,
		string(user), t.at(at))
	return err
}

// EndFlows ends the sign-ins that are under way in a browser, once somebody is
// known in them.
func (db *DB) EndFlows(ctx context.Context, browser sallyport.TokenHash, at time.Time) error {
	return db.change(ctx, "end flows", func(t *tx) error { return t.endFlows(browser, at) })
}

// EndUserFlows ends what the user is signing in to in any browser.
func (db *DB) EndUserFlows(ctx context.Context, user sallyport.UserID, at time.Time) error {
	return db.change(ctx, "end flows", func(t *tx) error { return t.expireFlows(user, at) })
}

// endFlows is expireFlows for one browser. A flow that nobody has signed in to
// stays: it holds nothing that could outlive a sign-out.
func (t *tx) endFlows(browser sallyport.TokenHash, at time.Time) error {
	if browser == (sallyport.TokenHash{}) {
		return nil
	}
	_, err := t.exec(`UPDATE flows SET expires_at = $2, version = version + 1
		WHERE browser = $1 AND user_id <> '' AND expires_at > $2`,
		base64.StdEncoding.EncodeToString(browser[:]), t.at(at))
	return err
}
