package proxy

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// newCorrelation returns a UUIDv7 (RFC 9562, section 5.7). Unlike other IDs it is
// made on every request and guards nothing, so it takes its random bits from the
// runtime's generator, without the lock of the uuid package.
func newCorrelation(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[0:8], uint64(now.UnixMilli())<<16|uint64(rand.Uint32()&0x0FFF)|0x7000) //nolint:gosec // it guards nothing
	binary.BigEndian.PutUint64(b[8:16], rand.Uint64()&^(3<<62)|1<<63)                                   //nolint:gosec // it guards nothing
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
