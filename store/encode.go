package store

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"sallyport"
)

// micros is how times are stored; 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// text encodes a list for a column that no query looks into.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // lists of our own plain types always marshal
	}
	return string(b)
}

// address is how addresses are stored; "" for none.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// The types below implement sql.Scanner: they decode a column into their target,
// and refuse what the store cannot have written.
type (
	timeCol struct{ to *time.Time }
	jsonCol struct{ to any }
	addrCol struct{ to *netip.Addr }
	hashCol struct{ to *sallyport.TokenHash }
)

// Scan implements sql.Scanner.
func (c timeCol) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", src)
	}
	*c.to = time.Time{}
	if us != 0 {
		*c.to = time.UnixMicro(us).UTC()
	}
	return nil
}

// Scan implements sql.Scanner.
func (c jsonCol) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), c.to)
	case []byte:
		return json.Unmarshal(v, c.to)
	}
	return fmt.Errorf("JSON is stored as %T", src)
}

// Scan implements sql.Scanner.
func (c addrCol) Scan(src any) (err error) {
	v, ok := src.(string)
	if !ok {
		return fmt.Errorf("an address is stored as %T", src)
	}
	*c.to = netip.Addr{}
	if v != "" {
		*c.to, err = netip.ParseAddr(v)
	}
	return err
}

// Scan implements sql.Scanner.
func (c hashCol) Scan(src any) error {
	v, ok := src.([]byte)
	if !ok || len(v) != len(c.to) {
		return fmt.Errorf("a hash is stored as %T of %d bytes", src, len(v))
	}
	copy(c.to[:], v)
	return nil
}
