package web_test

import (
	"os"
	"testing"

	"sallyport/web/webtest"
)

func TestCataloguesAreComplete(t *testing.T) {
	webtest.Catalogues(t, os.DirFS("."), "web.error.window")
}
