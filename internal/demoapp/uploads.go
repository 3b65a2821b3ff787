package demoapp

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"time"
)

// multipartOverhead is what boundaries and other fields may add to the files.
const multipartOverhead = 1 << 20

var errNoFile = errors.New("no file in the form")

type uploadData struct {
	Files    []storedFile
	MaxFiles int
	MaxMiB   string
	Saved    bool
	Error    string
}

// uploadForm shows the form and the files.
func (a *App) uploadForm(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	a.renderUpload(w, r, http.StatusOK, "")
}

func (a *App) renderUpload(w http.ResponseWriter, r *http.Request, status int, message string) {
	a.render(w, r, status, "upload", "Files", uploadData{
		Files:    a.files.list(),
		MaxFiles: a.files.maxFiles,
		MaxMiB:   fmt.Sprintf("%.4g", float64(a.files.maxBytes)/(1<<20)),
		Saved:    message == "" && r.URL.Query().Get("saved") == "1",
		Error:    message,
	})
}

// uploadPost streams the files of the form to disk and redirects to the list. If
// one of them is refused, none is kept.
func (a *App) uploadPost(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	b := &batch{store: a.files}
	err := a.receive(w, r, b)
	if err == nil {
		n := len(b.files)
		b.commit()
		a.log.InfoContext(r.Context(), "demo app stored uploads", "files", n)
		http.Redirect(w, r, "/upload?saved=1", http.StatusSeeOther)
		return
	}
	err = errors.Join(err, b.discard())
	status, message := uploadFault(err)
	a.log.WarnContext(r.Context(), "demo app refused an upload", "status", status, "error", err)
	if status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // do not read the rest of it
	}
	a.renderUpload(w, r, status, message)
}

// receive reads the form part by part. ParseMultipartForm would first hold or
// copy all of it.
func (a *App) receive(w http.ResponseWriter, r *http.Request, b *batch) error {
	r.Body = http.MaxBytesReader(w, r.Body, a.files.maxBytes+multipartOverhead)
	form, err := r.MultipartReader()
	if err != nil {
		return fmt.Errorf("read form: %w", err)
	}
	who, now := visitorOf(r).Label(), a.now()
	for {
		part, err := form.NextPart()
		if err == io.EOF { // a form cut short is a wrapped io.EOF
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errReadUpload, err)
		}
		if err := addPart(b, part, who, now); err != nil {
			return err
		}
	}
	if len(b.files) == 0 {
		return errNoFile
	}
	return nil
}

// addPart stores the part if it is a file that the user chose. A field left empty
// arrives as a part without a file name.
func addPart(b *batch, part *multipart.Part, who string, now time.Time) error {
	defer part.Close() // reads the rest, so that the client gets to see our answer
	if part.FormName() != "file" {
		return nil
	}
	name := fileName(part)
	if name == "" {
		return nil
	}
	return b.add(name, who, now, part)
}

// fileName is the name as the client sent it. Part.FileName would cut it by the
// rules of the system we run on, and cleanName cuts by those of every system.
func fileName(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	return params["filename"]
}

// uploadFault is what the user is told.
func uploadFault(err error) (status int, message string) {
	switch {
	case errors.Is(err, errFileTooBig), tooLarge(err):
		return http.StatusRequestEntityTooLarge, "This is too large. Please upload smaller files."
	case errors.Is(err, errFolderFull):
		return http.StatusInsufficientStorage, "The folder is full. Start the demo again to empty it."
	case errors.Is(err, errNoFolder):
		return http.StatusServiceUnavailable, "Uploads are switched off here."
	case errors.Is(err, errStoreUpload):
		return http.StatusInternalServerError, "The file could not be stored."
	case errors.Is(err, errNoFile):
		return http.StatusBadRequest, "Please choose a file first."
	case errors.Is(err, http.ErrNotMultipart), errors.Is(err, http.ErrMissingBoundary):
		return http.StatusBadRequest, "A file must be sent as multipart/form-data."
	default:
		return http.StatusBadRequest, "The upload broke off or could not be read. Please try again."
	}
}

// download offers a file for saving; ranges and HEAD work.
func (a *App) download(w http.ResponseWriter, r *http.Request) {
	defer a.cutOnClose(w)()
	stored, ok := a.files.find(r.PathValue("name"))
	if !ok {
		a.fail(w, r, http.StatusNotFound, "There is no such file.", nil)
		return
	}
	f, err := os.Open(stored.path)
	if err != nil {
		a.fail(w, r, http.StatusInternalServerError, "The file could not be read.", fmt.Errorf("open upload: %w", err))
		return
	}
	defer f.Close()
	// Not the type the uploader claimed: a page of theirs would run as ours.
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", attachment(stored.Name))
	w.Header().Set("Cache-Control", "private, no-cache")
	http.ServeContent(w, r, "", stored.Added, f)
}
