package account

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/mileusna/useragent"

	"sallyport"
	"sallyport/web"
)

// overview is the dot of account/overview.
type overview struct {
	CSRF    string
	Notice  notice
	Methods []methodRow
	// MayAdd: a method can be registered and there is room.
	MayAdd, Full bool
	Max          int
	// Codes: recovery codes are switched on and the person has a method they stand
	// in for.
	Codes      bool
	CodesLeft  int
	CodesLow   bool
	Devices    []deviceRow
	Remember   bool // devices can be remembered here
	Sessions   []sessionRow
	HasOthers  bool // sessions other than this one
	BadName    bool // the rename that was just refused
	BadNameID  sallyport.MethodID
	TypedName  string
	LastNeeded bool // the last method cannot be deleted
}

type methodRow struct {
	sallyport.Method
	Last bool
}

type deviceRow struct {
	sallyport.Device
	Browser browser
	Place   string
	Current bool
}

type sessionRow struct {
	sallyport.Session
	Browser browser
	Place   string
	Current bool
}

// browser is what a user agent says of itself, for display.
type browser struct {
	Name, System string
	Mobile       bool
}

// notice is a message about the change just made. Kind is that of an alert.
type notice struct{ Kind, Key string }

// noticeOf turns the query's fixed name into a notice. Anything else shows
// nothing, so that a link cannot put words on the page.
func noticeOf(name string) notice {
	switch name {
	case "added", "renamed", "deleted", "codes", "forgotten", "forgotten-all", "session-ended", "sessions-ended":
		return notice{"success", "account.notice." + strings.ReplaceAll(name, "-", "_")}
	case "last-method":
		return notice{"error", "account.notice.last_method"}
	case "gone":
		return notice{"warning", "account.notice.gone"}
	}
	return notice{}
}

// overview is GET /.sallyport/security-info.
func (v *visit) overview() error {
	return v.showOverview(http.StatusOK, func(p *overview) { p.Notice = noticeOf(v.r.URL.Query().Get("notice")) })
}

// showOverview draws the page; change may add what the last form got wrong.
func (v *visit) showOverview(status int, change func(*overview)) error {
	p := overview{CSRF: v.csrf, Max: v.a.cfg.MaxPerUser, Remember: v.a.cfg.RememberDays > 0, LastNeeded: v.demanded()}
	for _, load := range []func(*overview) error{v.loadMethods, v.loadDevices, v.loadSessions} {
		if err := load(&p); err != nil {
			return err
		}
	}
	change(&p)
	return v.render(web.Page{Status: status, Template: "account/overview", TitleKey: "account.title", Data: p, Wide: true})
}

func (v *visit) loadMethods(p *overview) error {
	methods, err := v.a.store.Methods(v.r.Context(), v.user())
	if err != nil {
		return fmt.Errorf("methods: %w", err)
	}
	for _, m := range methods {
		if m.Kind != sallyport.KindRecovery {
			p.Methods = append(p.Methods, methodRow{Method: m})
		}
	}
	if len(p.Methods) == 1 {
		p.Methods[0].Last = true
	}
	p.Full = len(p.Methods) >= p.Max
	p.MayAdd = !p.Full && len(v.a.registrable()) > 0
	p.Codes = v.a.method(sallyport.KindRecovery) != nil && len(p.Methods) > 0
	if p.Codes {
		if p.CodesLeft, err = v.a.store.RecoveryCodesLeft(v.r.Context(), v.user()); err != nil {
			return fmt.Errorf("recovery codes: %w", err)
		}
		p.CodesLow = p.CodesLeft < 3
	}
	return nil
}

func (v *visit) loadDevices(p *overview) error {
	devices, err := v.a.store.Devices(v.r.Context(), v.user(), v.now)
	if err != nil {
		return fmt.Errorf("remembered devices: %w", err)
	}
	var current sallyport.DeviceID
	if len(devices) > 0 {
		current = v.a.sessions.CurrentDevice(v.r, v.user())
	}
	for _, d := range devices {
		p.Devices = append(p.Devices, deviceRow{Device: d, Browser: browserOf(d.UserAgent),
			Place: v.placeOf(d.Address), Current: d.ID == current})
	}
	return nil
}

func (v *visit) loadSessions(p *overview) error {
	sessions, err := v.a.store.Sessions(v.r.Context(), v.user(), v.now)
	if err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	for _, s := range sessions {
		row := sessionRow{Session: s, Browser: browserOf(s.UserAgent), Place: v.placeOf(s.Address), Current: s.ID == v.grant.Session.ID}
		if row.Current {
			row.LastSeenAt = v.now // the store is up to a minute behind
		} else {
			p.HasOthers = true
		}
		p.Sessions = append(p.Sessions, row)
	}
	slices.SortStableFunc(p.Sessions, func(a, b sessionRow) int {
		switch {
		case a.Current == b.Current:
			return 0
		case a.Current:
			return -1
		}
		return 1
	})
	return nil
}

// demanded reports whether policy demands a method of the person, so that the
// last one must stay.
func (v *visit) demanded() bool {
	return v.grant.User.State == sallyport.StateEnabled || v.grant.User.State == sallyport.StateEnforced
}

// placeOf names an address: its location, else the address itself.
func (v *visit) placeOf(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	if name := v.a.place(ip); name != "" {
		return name + " (" + ip.String() + ")"
	}
	return ip.String()
}

// browserOf reads a user agent. What nobody knows has no name, and the page says
// "unknown browser" instead of repeating a stranger's text.
func browserOf(s string) browser {
	ua := useragent.Parse(clip(s, 512))
	if ua.IsUnknown() || ua.Name == "" {
		return browser{Mobile: ua.Mobile}
	}
	return browser{Name: clip(ua.Name, 40), System: clip(ua.OS, 40), Mobile: ua.Mobile || ua.Tablet}
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
