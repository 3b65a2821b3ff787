package config

import (
	"reflect"
	"slices"
	"strings"
)

// nearest returns the candidate that word was probably meant to be, "" if none
// is near enough: the same but for case and separators, or at most a third of
// its letters wrong.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+1
	for _, c := range candidates {
		if fold(c) == fold(word) {
			return c
		}
		if d := distance(fold(word), fold(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "")

func fold(s string) string { return strings.ToLower(separators.Replace(s)) }

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to get from a to b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 64
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}

// homes says where in the format a key exists, for one that stands in the wrong
// place: "`routes[]` or `server`"; "" if nowhere.
func (s *shape) homes(key string) string {
	if s.keys == nil {
		s.keys = Keys()
	}
	var out []string
	for _, k := range s.keys {
		parent, last := "", k.Path
		if i := strings.LastIndexByte(k.Path, '.'); i >= 0 {
			parent, last = k.Path[:i], k.Path[i+1:]
		}
		if last != key {
			continue
		}
		home := "`" + parent + "`"
		if k.Of != "" {
			home += " of type `" + k.Of + "`"
		}
		if parent == "" {
			home = "the top of the file"
		}
		if !slices.Contains(out, home) {
			out = append(out, home)
		}
	}
	if len(out) > 4 {
		out = out[:4]
	}
	return strings.Join(out, " or ")
}

// Key is one key of the format.
type Key struct {
	// Path with [] for "any entry": "routes[].hosts".
	Path     string
	Type     reflect.Type
	Required bool
	// Of is the identity type that has the key; "" for all others.
	Of string
	// Doc names its field, Comment is the comment of that.
	Doc, Comment string
}

// Keys lists every key of the format, parents before children.
func Keys() []Key {
	return keysBelow(reflect.TypeFor[Config](), "", "", fieldComments())
}

func keysBelow(t reflect.Type, path, of string, docs map[string]string) []Key {
	var out []Key
	for _, f := range fieldsOf(t) {
		k := Key{Path: join(path, f.Key), Type: f.Type, Required: f.Required, Of: of, Doc: f.Doc, Comment: docs[f.Doc]}
		out = append(out, k)
		switch elem := indirect(f.Type); kindOf(elem) {
		case kindSection:
			out = append(out, keysBelow(elem, k.Path, of, docs)...)
		case kindList:
			if in := indirect(elem.Elem()); in.Kind() == reflect.Struct {
				out = append(out, keysBelow(in, k.Path+"[]", of, docs)...)
			}
			if elem.Elem() == reflect.TypeFor[Identity]() {
				for _, name := range identityTypes() {
					out = append(out, keysBelow(variantType(name), k.Path+"[]", name, docs)...)
				}
			}
		}
	}
	return out
}
