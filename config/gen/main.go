// Command gen writes what is generated from the comments of the Config types:
// config/descriptions.json and docs/configuration.md. `go generate ./config`
// runs it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sallyport/config"
	"sallyport/config/internal/comments"
)

func main() {
	if err := run(".."); err != nil { // go generate runs in the folder config
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	found, err := comments.Collect(root)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return fmt.Errorf("write descriptions: %w", err)
	}
	if err := os.WriteFile(filepath.Join(root, "config", "descriptions.json"), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write descriptions: %w", err)
	}
	examples, err := config.ReadExamples(filepath.Join(root, "config", "testdata", "example"))
	if err != nil {
		return err
	}
	page, err := config.Reference(found, examples)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "docs", "configuration.md"), page, 0o644); err != nil {
		return fmt.Errorf("write reference: %w", err)
	}
	return nil
}
