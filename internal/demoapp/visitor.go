package demoapp

import (
	"net/http"
	"net/url"
	"strings"
)

// visitor is who the headers of a request say is there.
type visitor struct {
	ID     string // empty: the request came without X-Sallyport-User
	Name   string
	Email  string
	Groups []string
}

// visitorOf believes the headers, as an app behind a gateway does.
func visitorOf(r *http.Request) visitor {
	get := func(name string) string {
		return strings.ToValidUTF8(strings.TrimSpace(r.Header.Get(name)), "\uFFFD")
	}
	return visitor{
		ID:     get("X-Sallyport-User"),
		Name:   get("X-Sallyport-Name"),
		Email:  get("X-Sallyport-Email"),
		Groups: splitGroups(get("X-Sallyport-Groups")),
	}
}

// splitGroups takes the comma-separated list apart; a comma inside a name arrives
// percent-encoded.
func splitGroups(list string) []string {
	var groups []string
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if plain, err := url.PathUnescape(part); err == nil {
			part = strings.ToValidUTF8(plain, "\uFFFD")
		}
		groups = append(groups, part)
	}
	return groups
}

// Label is how pages call the visitor.
func (v visitor) Label() string {
	switch {
	case v.ID == "":
		return "(nobody)"
	case v.Name == "":
		return v.ID
	default:
		return v.Name
	}
}
