package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"sallyport"
	"sallyport/admin"
)

// userView is a user as JSON.
type userView struct {
	ID             sallyport.UserID `json:"id"`
	Name           string           `json:"name"`
	Email          string           `json:"email,omitempty"`
	DisplayName    string           `json:"display_name,omitempty"`
	State          sallyport.State  `json:"state"`
	SignInDisabled bool             `json:"sign_in_disabled,omitempty"`
	Reregister     bool             `json:"reregister,omitempty"`
	CreatedAt      time.Time        `json:"created_at"`
	LastSignInAt   time.Time        `json:"last_sign_in_at,omitzero"`
}

func userJSON(u sallyport.User) userView {
	return userView{ID: u.ID, Name: u.Name, Email: u.Email, DisplayName: u.DisplayName, State: u.State,
		SignInDisabled: u.SignInDisabled, Reregister: u.Reregister, CreatedAt: u.CreatedAt, LastSignInAt: u.LastSignInAt}
}

type linkView struct {
	Provider   string    `json:"provider"`
	Issuer     string    `json:"issuer"`
	Subject    string    `json:"subject"`
	Username   string    `json:"username,omitempty"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

func linkJSON(l sallyport.Link) linkView {
	return linkView{l.Provider, l.Issuer, l.Subject, l.Username, l.LastUsedAt}
}

type methodView struct {
	ID         sallyport.MethodID `json:"id"`
	Kind       sallyport.Kind     `json:"kind"`
	Name       string             `json:"name"`
	CreatedAt  time.Time          `json:"created_at"`
	LastUsedAt time.Time          `json:"last_used_at,omitzero"`
}

type placeView struct {
	ID        string    `json:"id"`
	Address   string    `json:"address,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	LastUsed  time.Time `json:"last_used_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at"`
}

type detailsView struct {
	userView
	Links         []linkView             `json:"links"`
	Methods       []methodView           `json:"methods"`
	RecoveryCodes int                    `json:"recovery_codes_left"`
	Sessions      []placeView            `json:"sessions"`
	Devices       []placeView            `json:"remembered_devices"`
	Locked        []sallyport.LockedLane `json:"locked"`
}

func detailsJSON(d admin.Details) detailsView {
	v := detailsView{userView: userJSON(d.User), Links: []linkView{}, Methods: []methodView{},
		RecoveryCodes: d.RecoveryCodes, Sessions: []placeView{}, Devices: []placeView{}, Locked: d.Locked}
	if v.Locked == nil {
		v.Locked = []sallyport.LockedLane{}
	}
	for _, l := range d.Links {
		v.Links = append(v.Links, linkJSON(l))
	}
	for _, m := range d.Methods {
		v.Methods = append(v.Methods, methodView{m.ID, m.Kind, m.Name, m.CreatedAt, m.LastUsedAt})
	}
	for _, s := range d.Sessions {
		v.Sessions = append(v.Sessions, placeView{string(s.ID), s.Address.String(), s.UserAgent, s.CreatedAt, s.LastSeenAt, s.ExpiresAt})
	}
	for _, x := range d.Devices {
		v.Devices = append(v.Devices, placeView{string(x.ID), x.Address.String(), x.UserAgent, x.CreatedAt, x.LastUsedAt, x.ExpiresAt})
	}
	return v
}

func printDetails(out io.Writer, d admin.Details) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	u := d.User
	fmt.Fprintf(w, "name\t%s\nid\t%s\nemail\t%s\nfull name\t%s\nstate\t%s\n",
		plain(u.Name), u.ID, plain(u.Email), plain(u.DisplayName), u.State)
	if u.SignInDisabled {
		fmt.Fprintln(w, "sign-in\tdisabled")
	}
	if u.Reregister {
		fmt.Fprintln(w, "registers again\tat the next sign-in")
	}
	fmt.Fprintf(w, "created\t%s\nlast sign-in\t%s\nrecovery codes left\t%d\n", when(u.CreatedAt), when(u.LastSignInAt), d.RecoveryCodes)
	for _, l := range d.Links {
		fmt.Fprintf(w, "link\t%s: %s (last used %s)\n", l.Provider, plain(l.Subject), when(l.LastUsedAt))
	}
	for _, m := range d.Methods {
		fmt.Fprintf(w, "method\t%s %q (added %s, last used %s)\n", m.Kind, m.Name, when(m.CreatedAt), when(m.LastUsedAt))
	}
	for _, s := range d.Sessions {
		fmt.Fprintf(w, "session\t%s from %s, last seen %s, ends by %s\n", s.ID, s.Address, when(s.LastSeenAt), when(s.ExpiresAt))
	}
	for _, x := range d.Devices {
		fmt.Fprintf(w, "remembered device\t%s from %s, until %s\n", x.ID, x.Address, when(x.ExpiresAt))
	}
	for _, l := range d.Locked {
		fmt.Fprintf(w, "locked\t%s until %s\n", describeLock(l), when(l.Until))
	}
	return w.Flush()
}

// describeLock says which attempts a lockout stops.
func describeLock(l sallyport.LockedLane) string {
	return string(l.Kind) + ", " + describeLane(l.Lane)
}

// describeLane says whose attempts are counted in a lane.
func describeLane(l sallyport.Lane) string {
	switch id, device := strings.CutPrefix(string(l), string(sallyport.LaneDevice)+":"); {
	case device:
		return "for sign-ins with the remembered device " + plain(id)
	case l == sallyport.LaneTrusted:
		return "for sign-ins from trusted addresses"
	case l == sallyport.LaneOther:
		return "for sign-ins from new browsers and addresses"
	}
	return "in lane " + plain(string(l))
}

// reason is why an event happened, for people: lanes are named as above.
func reason(text string) string {
	if kind, lane, ok := strings.Cut(text, " in lane "); ok {
		return plain(kind) + ", " + describeLane(sallyport.Lane(lane))
	}
	return plain(text)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// plain makes text from outside safe for a terminal: a name must not move the
// cursor or hide a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
