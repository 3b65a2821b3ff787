package account

import (
	"fmt"
	"net/http"

	"sallyport"
	"sallyport/audit"
	"sallyport/web"
)

// forgetDevice is POST …/forget-device: one remembered device.
func (v *visit) forgetDevice() error {
	devices, err := v.a.store.Devices(v.r.Context(), v.user(), v.now)
	if err != nil {
		return fmt.Errorf("remembered devices: %w", err)
	}
	for _, d := range devices {
		if string(d.ID) != v.field("device") {
			continue
		}
		ev := v.event(audit.DeviceRemoved)
		ev.Device = describeBrowser(browserOf(d.UserAgent))
		if err := v.a.store.RemoveDevice(v.r.Context(), v.user(), d.ID, ev); err != nil {
			return v.orGone(fmt.Errorf("forgetting a device: %w", err))
		}
		return v.done("forgotten")
	}
	return v.done("gone")
}

// forgetDevices is POST …/forget-devices: all of them.
func (v *visit) forgetDevices() error {
	ev := v.event(audit.DeviceRemoved)
	ev.Reason = "all"
	if _, err := v.a.store.RemoveDevices(v.r.Context(), v.user(), ev); err != nil {
		return fmt.Errorf("forgetting devices: %w", err)
	}
	return v.done("forgotten-all")
}

// endSession is POST …/end-session: one session of the person. The store would
// end anybody's, so it is looked up among their own first.
func (v *visit) endSession() error {
	id := sallyport.SessionID(v.field("session"))
	if id == v.grant.Session.ID {
		return v.signOut()
	}
	sessions, err := v.a.store.Sessions(v.r.Context(), v.user(), v.now)
	if err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	for _, s := range sessions {
		if s.ID != id {
			continue
		}
		ev := v.event(audit.SessionRevoked)
		ev.Reason, ev.Before, ev.Device = "by-user", string(s.ID), describeBrowser(browserOf(s.UserAgent))
		// Whoever is meant may have another sign-in waiting, under another cookie.
		if err := v.a.store.EndUserFlows(v.r.Context(), v.user(), v.now); err != nil {
			return fmt.Errorf("ending sign-ins: %w", err)
		}
		if err := v.a.store.RevokeSession(v.r.Context(), id, v.now, ev); err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
		return v.done("session-ended")
	}
	return v.done("gone")
}

// signOut ends this session, on every host.
func (v *visit) signOut() error {
	if err := v.a.sessions.SignOut(v.w, v.r, v.event(audit.SignOut)); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, web.SignOutPath, http.StatusSeeOther)
	return nil
}

// endOthers is POST …/end-other-sessions: all but this one.
func (v *visit) endOthers() error {
	ev := v.event(audit.SessionRevoked)
	ev.Reason = "others-by-user"
	if _, err := v.a.store.RevokeUserSessions(v.r.Context(), v.user(), v.grant.Session.ID, v.now, ev); err != nil {
		return fmt.Errorf("ending sessions: %w", err)
	}
	return v.done("sessions-ended")
}

// endAll is POST …/end-all-sessions: everywhere, this one too.
func (v *visit) endAll() error {
	ev := v.event(audit.SessionRevoked)
	ev.Reason = "all-by-user"
	if _, err := v.a.store.RevokeUserSessions(v.r.Context(), v.user(), "", v.now, ev); err != nil {
		return fmt.Errorf("ending sessions: %w", err)
	}
	v.a.sessions.Forget(v.user())
	if err := v.a.sessions.SignOut(v.w, v.r); err != nil { // takes the cookie
		return err
	}
	http.Redirect(v.w, v.r, web.SignOutPath, http.StatusSeeOther)
	return nil
}

// describeBrowser names a browser in the log, in English.
func describeBrowser(b browser) string {
	switch {
	case b.Name == "":
		return "unknown browser"
	case b.System == "":
		return b.Name
	}
	return b.Name + " on " + b.System
}
