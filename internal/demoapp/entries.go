package demoapp

import (
	"net/http"
	"strconv"
)

const (
	pageSize     = 10
	maxFormBytes = 64 << 10
)

type listData struct {
	Entries            []entry
	Page, Pages, Total int
	Prev, Next         int // zero: there is none
	Saved              bool
}

// list shows one page of the entries.
func (a *App) list(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	query := r.URL.Query()
	n := 1
	if query.Has("page") {
		var err error
		if n, err = strconv.Atoi(query.Get("page")); err != nil {
			a.fail(w, r, http.StatusBadRequest, "There is no such page: a page is a number, such as /?page=2.", nil)
			return
		}
	}
	d := listData{Saved: query.Get("saved") == "1"}
	d.Entries, d.Page, d.Pages, d.Total = a.sheet.page(n, pageSize)
	d.Prev = d.Page - 1
	if d.Page < d.Pages {
		d.Next = d.Page + 1
	}
	a.render(w, r, http.StatusOK, "list", "Entries", d)
}

type entryData struct {
	entryInput
	Projects []string
}

// entryForm shows the form with today's date.
func (a *App) entryForm(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	in := entryInput{Date: a.now().Format(dateLayout)}
	a.render(w, r, http.StatusOK, "entry", "New entry", entryData{in, projects()})
}

// entryPost stores an entry and redirects to the list, so that a reload of the
// page does not store it again.
func (a *App) entryPost(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		status, message := http.StatusBadRequest, "The form could not be read."
		if tooLarge(err) {
			status, message = http.StatusRequestEntityTooLarge, "The form is too large."
		}
		a.fail(w, r, status, message, err)
		return
	}
	in := entryInput{
		Date:    r.PostForm.Get("date"),
		Project: r.PostForm.Get("project"),
		Hours:   r.PostForm.Get("hours"),
		Note:    r.PostForm.Get("note"),
	}
	e, ok := in.check(a.now())
	if !ok {
		a.render(w, r, http.StatusUnprocessableEntity, "entry", "New entry", entryData{in, projects()})
		return
	}
	e.Who = visitorOf(r).Label()
	id, err := a.sheet.add(e)
	if err != nil {
		a.fail(w, r, http.StatusInsufficientStorage, "The time sheet is full. Start the demo again to empty it.", err)
		return
	}
	a.log.InfoContext(r.Context(), "demo app stored an entry", "entry", id)
	http.Redirect(w, r, "/?saved=1", http.StatusSeeOther)
}
