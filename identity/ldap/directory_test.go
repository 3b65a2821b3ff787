package ldap_test

import (
	"net"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"sallyport/identity/ldap"
	"sallyport/internal/secret"
)

// directory is a small LDAP server that answers what a test tells it to, in the
// wire format, where a real one cannot be made to (faults, hostile answers).
type directory struct {
	t  *testing.T
	ln net.Listener

	// bind answers everybody but the service account. search answers searches;
	// nil fields fall back to alice's directory. raw, when it returns true, has
	// answered the request by itself.
	bind   func(dn, password string) result
	search func(request) ([]entry, result)
	raw    func(c net.Conn, id int64, r request) bool

	mu    sync.Mutex
	bound []string // names of binds other than the service account's
	asked []request
	live  map[net.Conn]bool
	wg    sync.WaitGroup
}

type result struct {
	code int
	text string
}

// entry is a DN and attributes with their values.
type entry struct {
	dn    string
	attrs map[string][]string
}

type request struct {
	op     string // "bind", "search"
	as     string // who is bound on the connection
	base   string
	scope  int
	filter string
	attrs  []string
}

const (
	fakeBase    = "DC=corp,DC=example"
	fakeService = "CN=svc," + fakeBase
	fakeAlice   = "CN=Alice,OU=Staff," + fakeBase
)

func newDirectory(t *testing.T) *directory {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &directory{t: t, ln: ln, live: map[net.Conn]bool{}}
	d.wg.Go(d.serve)
	t.Cleanup(d.stop)
	return d
}

func (d *directory) stop() {
	d.ln.Close()
	d.hangUp()
	d.wg.Wait()
}

// hangUp closes all connections; the server goes on.
func (d *directory) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.live {
		c.Close()
	}
}

func (d *directory) settings() ldap.Config {
	return ldap.Config{
		URL: "ldap://" + d.ln.Addr().String(), BaseDN: fakeBase,
		BindDN: fakeService, BindPassword: secret.New("svc-secret"),
		UserFilter: "(sAMAccountName={login})",
	}
}

func (d *directory) binds() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.bound)
}

func (d *directory) requests() []request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]request(nil), d.asked...)
}

func (d *directory) serve() {
	for {
		c, err := d.ln.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.live[c] = true
		d.mu.Unlock()
		d.wg.Go(func() {
			d.talk(c)
			d.mu.Lock()
			delete(d.live, c)
			d.mu.Unlock()
			c.Close()
		})
	}
}

func (d *directory) talk(c net.Conn) {
	as := ""
	for {
		p, err := ber.ReadPacket(c)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, op := p.Children[0].Value.(int64), p.Children[1]
		switch op.Tag {
		case goldap.ApplicationBindRequest:
			dn, password := op.Children[1].Value.(string), op.Children[2].Data.String()
			r := result{}
			if dn != fakeService || password != "svc-secret" {
				d.mu.Lock()
				d.bound = append(d.bound, dn)
				d.mu.Unlock()
				if d.raw != nil && d.raw(c, id, request{op: "bind", base: dn}) {
					continue
				}
				r = d.bind(dn, password)
			}
			if as = ""; r.code == 0 {
				as = dn
			}
			write(c, id, done(goldap.ApplicationBindResponse, r))
		case goldap.ApplicationSearchRequest:
			d.find(c, id, as, op)
		default:
			return
		}
	}
}

func (d *directory) find(c net.Conn, id int64, as string, op *ber.Packet) {
	filter, err := goldap.DecompileFilter(op.Children[6])
	if err != nil {
		d.t.Errorf("an unreadable filter: %v", err)
	}
	r := request{op: "search", as: as, base: op.Children[0].Value.(string), scope: int(op.Children[1].Value.(int64)), filter: filter}
	for _, a := range op.Children[7].Children {
		r.attrs = append(r.attrs, a.Value.(string))
	}
	d.mu.Lock()
	d.asked = append(d.asked, r)
	d.mu.Unlock()
	if d.raw != nil && d.raw(c, id, r) {
		return
	}
	answer := d.search
	if answer == nil {
		answer = aliceOnly
	}
	entries, end := answer(r)
	for _, e := range entries {
		write(c, id, e.packet())
	}
	write(c, id, done(goldap.ApplicationSearchResultDone, end))
}

// aliceOnly is a directory with one person in it.
func aliceOnly(r request) ([]entry, result) {
	if strings.EqualFold(r.base, fakeAlice) || strings.Contains(r.filter, "=alice)") {
		return []entry{alice()}, result{}
	}
	return nil, result{}
}

func alice() entry {
	return entry{fakeAlice, map[string][]string{
		"objectGUID":     {"\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff"},
		"sAMAccountName": {"alice"}, "mail": {"alice@corp.example"}, "displayName": {"Alice"},
		"memberOf": {"CN=Finance,OU=Groups," + fakeBase},
	}}
}

func (e entry) packet() *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultEntry, nil, "")
	p.AppendChild(octets(e.dn))
	list := ber.NewSequence("")
	for name, values := range e.attrs {
		attr := ber.NewSequence("")
		attr.AppendChild(octets(name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range values {
			set.AppendChild(octets(v))
		}
		attr.AppendChild(set)
		list.AppendChild(attr)
	}
	p.AppendChild(list)
	return p
}

func done(tag ber.Tag, r result) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, r.code, ""))
	p.AppendChild(octets(""))
	p.AppendChild(octets(r.text))
	return p
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

// write sends one message; a client that has hung up is no fault here.
func write(c net.Conn, id int64, op *ber.Packet) {
	p := ber.NewSequence("")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	p.AppendChild(op)
	_, _ = c.Write(p.Bytes())
}
