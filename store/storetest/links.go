package storetest

import (
	"sallyport"
	"sallyport/audit"
)

var linkTests = []contractTest{
	{"a link belongs to one user", linkOnce},
	{"DeleteLink ends that provider's sessions", deleteLink},
}

func linkOnce(e *env) {
	a, b := e.user("alice"), e.user("bob")
	l := sallyport.Link{Provider: "corp", Issuer: "https://idp", Subject: "1", UserID: a.ID, Username: "a", CreatedAt: e.now()}
	seq := e.seq()
	e.ok(e.db.CreateLink(e.ctx, l, e.event(audit.UserLinked)))
	e.changed(seq, userChange(a.ID))
	stolen := l
	stolen.UserID = b.ID
	e.fails(e.db.CreateLink(e.ctx, stolen, e.event(audit.UserLinked)), sallyport.ErrExists)
	got, err := e.db.UserByLink(e.ctx, l.Provider, l.Issuer, l.Subject)
	e.ok(err)
	e.equal(got.ID, a.ID)
	for _, other := range [][3]string{{"corp", "https://idp", "2"}, {"corp", "https://other", "1"}, {"other", "https://idp", "1"}} {
		_, err := e.db.UserByLink(e.ctx, other[0], other[1], other[2])
		e.fails(err, sallyport.ErrNotFound)
	}
	links, err := e.db.Links(e.ctx, a.ID)
	e.ok(err)
	e.equal(links, []sallyport.Link{l})
	stolen.UserID, stolen.Subject = "nobody", "3"
	e.fails(e.db.CreateLink(e.ctx, stolen), sallyport.ErrNotFound)
	e.logged(audit.UserLinked)
}

func deleteLink(e *env) {
	u := e.user("alice")
	e.ok(e.db.CreateLink(e.ctx, sallyport.Link{Provider: "staff", Subject: "1", UserID: u.ID}))
	_, staff := e.session(u) // of provider "staff"
	s, other := NewSession(u.ID, e.now())
	s.Provider = "corp"
	e.ok(e.db.CreateSession(e.ctx, s, other))
	seq := e.seq()
	e.fails(e.db.DeleteLink(e.ctx, "nobody", "staff", "1", e.now()), sallyport.ErrNotFound)
	e.ok(e.db.DeleteLink(e.ctx, u.ID, "staff", "1", e.now(), e.event(audit.UserUnlinked)))
	e.changed(seq, userChange(u.ID))
	e.noGrant(staff.Hash)
	e.grant(other.Hash)
	_, err := e.db.UserByLink(e.ctx, "staff", "", "1")
	e.fails(err, sallyport.ErrNotFound)
	e.fails(e.db.DeleteLink(e.ctx, u.ID, "staff", "1", e.now()), sallyport.ErrNotFound)
	e.logged(audit.UserUnlinked)
}
