package sallyport

import "time"

// DeviceUse is one presentation of a remembered-device token.
type DeviceUse struct {
	Token  TokenHash // as presented
	Next   TokenHash // to rotate to
	UserID UserID
	Now    time.Time
}

// DeviceOutcome is what a presented device token was.
type DeviceOutcome uint8

// Outcomes; the zero value grants nothing.
const (
	DeviceRefused DeviceOutcome = iota
	DeviceStolen
	DeviceGrace   // skips verification; the browser keeps the token it has
	DeviceRotated // skips verification; the browser gets the next token
)
