package demoapp

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxEntries    = 2000
	maxNoteRunes  = 500
	sampleEntries = 23
	dateLayout    = "2006-01-02"
)

var errSheetFull = errors.New("the time sheet is full")

// projects are the values that the form offers and the server accepts.
func projects() []string {
	return []string{"Intranet relaunch", "ERP migration", "Customer support", "Training", "Vacation"}
}

// entry is one line of the time sheet.
type entry struct {
	ID       int
	Who      string
	Date     string // in dateLayout
	Project  string
	Quarters int // quarters of an hour
	Note     string
}

// Hours is the time of the entry as the list shows it, such as 7.50.
func (e entry) Hours() string {
	return fmt.Sprintf("%d.%02d", e.Quarters/4, e.Quarters%4*25)
}

// sheet is the list of entries.
type sheet struct {
	mu      sync.Mutex
	lastID  int
	entries []entry // oldest first
}

// newSheet returns a sheet with sample entries for the days before now.
func newSheet(now time.Time) *sheet {
	s := &sheet{}
	names := projects()
	for i := range sampleEntries {
		s.lastID++
		s.entries = append(s.entries, entry{
			ID:       s.lastID,
			Who:      []string{"Sample, Thea", "Muster, Max"}[i%2],
			Date:     now.AddDate(0, 0, i-sampleEntries).Format(dateLayout),
			Project:  names[i%len(names)],
			Quarters: 16 + i%17,
			Note:     "Sample entry",
		})
	}
	return s
}

// add appends e with a new ID, or returns errSheetFull.
func (s *sheet) add(e entry) (id int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) >= maxEntries {
		return 0, errSheetFull
	}
	s.lastID++
	e.ID = s.lastID
	s.entries = append(s.entries, e)
	return e.ID, nil
}

// page returns the entries of page n, newest first, and how many pages there are.
// A page outside the list is moved to its nearer end; shown is the one returned.
func (s *sheet) page(n, size int) (entries []entry, shown, pages, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total = len(s.entries)
	pages = max(1, (total+size-1)/size)
	shown = min(max(n, 1), pages)
	end := total - (shown-1)*size
	entries = slices.Clone(s.entries[max(0, end-size):end])
	slices.Reverse(entries)
	return entries, shown, pages, total
}

// entryInput is the form as it was typed, with what is wrong in it, by field.
type entryInput struct {
	Date, Project, Hours, Note string
	Errors                     map[string]string
}

// check turns the input into an entry, or fills Errors and returns false.
func (in *entryInput) check(now time.Time) (entry, bool) {
	in.Errors = map[string]string{}
	e := entry{Date: strings.TrimSpace(in.Date), Project: in.Project, Note: strings.TrimSpace(in.Note)}

	latest := now.AddDate(1, 0, 0).Format(dateLayout)
	if _, err := time.Parse(dateLayout, e.Date); err != nil {
		in.Errors["date"] = "Please enter a date as year-month-day, such as " + now.Format(dateLayout) + "."
	} else if e.Date < "2000-01-01" || e.Date > latest { // this layout sorts as text
		in.Errors["date"] = "Please enter a date between 2000-01-01 and " + latest + "."
	}
	if !slices.Contains(projects(), in.Project) {
		in.Errors["project"] = "Please choose a project from the list."
	}
	var ok bool
	if e.Quarters, ok = parseQuarters(in.Hours); !ok {
		in.Errors["hours"] = "Please enter hours from 0.25 to 24 in steps of 0.25, such as 7.5."
	}
	switch {
	case !utf8.ValidString(e.Note) || strings.ContainsFunc(e.Note, isForbiddenInNote):
		in.Errors["note"] = "The note contains characters that cannot be stored."
	case utf8.RuneCountInString(e.Note) > maxNoteRunes:
		in.Errors["note"] = fmt.Sprintf("The note is too long: at most %d characters.", maxNoteRunes)
	}
	return e, len(in.Errors) == 0
}

func isForbiddenInNote(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
}

// parseQuarters reads "7", "7.5", "7,25" as quarters of an hour from 1 to 96. It
// does not go through floating point, which also knows "1e1", "NaN" and "0x8".
func parseQuarters(s string) (int, bool) {
	whole, fraction, _ := strings.Cut(strings.Replace(strings.TrimSpace(s), ",", ".", 1), ".")
	if whole == "" || len(whole) > 2 || strings.Trim(whole, "0123456789") != "" {
		return 0, false
	}
	hours, err := strconv.Atoi(whole)
	if err != nil {
		return 0, false
	}
	quarter, ok := map[string]int{"": 0, "0": 0, "00": 0, "25": 1, "5": 2, "50": 2, "75": 3}[fraction]
	quarters := hours*4 + quarter
	return quarters, ok && quarters >= 1 && quarters <= 24*4
}
