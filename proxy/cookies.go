package proxy

import "strings"

// cookiePrefix begins the names of all our cookies. Names are compared without
// regard to case, since browsers treat the prefix so.
const cookiePrefix = "__Host-sallyport"

// foreignCookies returns the Cookie lines without our cookies. Lines that hold
// none are returned as they are, byte for byte, and usually nothing is allocated.
func foreignCookies(lines []string) []string {
	for i, l := range lines {
		if !containsFold(l, cookiePrefix) {
			continue
		}
		out := append(make([]string, 0, len(lines)), lines[:i]...)
		for _, l := range lines[i:] {
			if l = foreignLine(l); l != "" {
				out = append(out, l)
			}
		}
		return out
	}
	return lines
}

// foreignLine removes our cookies from one line, and leaves the bytes between the
// others alone.
func foreignLine(line string) string {
	if !containsFold(line, cookiePrefix) {
		return line
	}
	// Runs of foreign cookies are kept whole; usually there is one, and it is not
	// even copied.
	var first string
	var all []byte
	keep := func(run string) {
		run = strings.Trim(strings.TrimSuffix(run, ";"), " \t")
		switch {
		case run == "":
		case first == "":
			first = run
		default:
			if all == nil {
				all = append(make([]byte, 0, len(line)), first...)
			}
			all = append(append(all, "; "...), run...)
		}
	}
	start := 0
	for end := 0; end < len(line); {
		pair, _, more := strings.Cut(line[end:], ";")
		next := end + len(pair)
		if more {
			next++
		}
		if ourCookie(pair) {
			keep(line[start:end])
			start = next
		}
		end = next
	}
	keep(line[start:])
	if all != nil {
		return string(all)
	}
	return first
}

// ourCookie judges one cookie pair. Old parsers also split at commas, and quotes
// or "$" before a name do not make it another.
func ourCookie(pair string) bool {
	for part := range strings.SplitSeq(pair, ",") {
		if isOurName(part) {
			return true
		}
	}
	return false
}

// isOurName reports whether s begins with one of our cookie names, after what
// parsers overlook. A cookie without a name ("=__Host-sallyport=x") comes back
// from browsers as if its value were one.
func isOurName(s string) bool {
	for len(s) > 0 && (s[0] <= ' ' || s[0] == '"' || s[0] == '$' || s[0] == '=' || s[0] == '\'') {
		s = s[1:]
	}
	return len(s) >= len(cookiePrefix) && equalFoldASCII(s[:len(cookiePrefix)], cookiePrefix)
}

// hasOurCookie reports whether the request carries a session cookie of ours at
// all; it says nothing of its worth.
func hasOurCookie(lines []string) bool {
	for _, l := range lines {
		if strings.Contains(l, cookiePrefix) {
			return true
		}
	}
	return false
}

// containsFold reports whether s contains sub, without regard to the case of
// ASCII letters. It looks for the dash, which sub has once and cookies seldom.
func containsFold(s, sub string) bool {
	at := strings.IndexByte(sub, '-')
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '-')
		if j < 0 {
			return false
		}
		j += i
		if from := j - at; from >= 0 && from+len(sub) <= len(s) && equalFoldASCII(s[from:from+len(sub)], sub) {
			return true
		}
		i = j + 1
	}
	return false
}
