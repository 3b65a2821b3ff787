package challenge

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"sallyport"
	"sallyport/audit"
)

// oneFlow is a store with one user that takes every save.
type oneFlow struct{ Store }

func (oneFlow) User(context.Context, sallyport.UserID) (sallyport.User, error) {
	return sallyport.User{ID: "alice"}, nil
}

func (oneFlow) SaveFlow(context.Context, *sallyport.Flow, ...audit.Event) error { return nil }

// proposer is a method that can only be proposed.
type proposer struct {
	Method
	kind sallyport.Kind
}

func (p proposer) Kind() sallyport.Kind                 { return p.kind }
func (proposer) Propose(sallyport.User) ([]byte, error) { return []byte("pending"), nil }

// 3.8: a registration lasts 15 minutes from its first page. Going to and fro
// between methods gives no more, and nothing keeps a flow alive for ever.
func TestRegistrationIsNotProlonged(t *testing.T) {
	began := time.Unix(1_800_000_000, 0)
	x := &run{c: &Challenge{store: oneFlow{}}, r: httptest.NewRequest("GET", "https://login.example.com/", nil),
		f: &sallyport.Flow{UserID: "alice", CreatedAt: began, ExpiresAt: began.Add(flowLife)}}
	propose := func(after time.Duration, kind sallyport.Kind, want time.Duration) {
		t.Helper()
		x.now = began.Add(after)
		x.f.Proofs = []sallyport.Proof{{Kind: sallyport.KindPassword, At: x.now}}
		if again, err := x.propose(proposer{kind: kind}); again || err != nil {
			t.Fatalf("again %v, %v", again, err)
		}
		if got := x.f.ExpiresAt.Sub(began); got != want {
			t.Errorf("proposed after %s, the flow ends after %s, want %s", after, got, want)
		}
	}
	propose(10*time.Minute, sallyport.KindTOTP, 25*time.Minute)
	propose(12*time.Minute, "another", 25*time.Minute)
	propose(24*time.Minute, sallyport.KindTOTP, 25*time.Minute)
	x.data.Secret = nil // the registration was begun anew
	propose(24*time.Minute, sallyport.KindTOTP, 30*time.Minute)
}
