package main

import (
	"errors"
	"fmt"
	"os"

	"sallyport/config"
)

// ConfigCmd is `sallyport config`.
type ConfigCmd struct {
	Check  ConfigCheckCmd  `cmd:"" help:"Judge the routing file: every fault at once, with its place."`
	Show   ConfigShowCmd   `cmd:"" help:"Print it with defaults filled in and secrets redacted."`
	Schema ConfigSchemaCmd `cmd:"" help:"Print its JSON Schema, for editors."`
}

// ConfigCheckCmd is `sallyport config check`.
type ConfigCheckCmd struct {
	Config string `short:"c" help:"Routing file (default: sallyport.yaml in this folder)." default:"sallyport.yaml" placeholder:"FILE" env:"SALLYPORT_CONFIG"`
	JSON   bool   `help:"Print JSON."`
}

// verdict is what `config check --json` prints.
type verdict struct {
	OK       bool          `json:"ok"`
	Routes   int           `json:"routes,omitempty"`
	Errors   config.Errors `json:"errors,omitempty"`
	Warnings config.Errors `json:"warnings,omitempty"`
}

// Run says whether the gateway would start with this file.
func (k *ConfigCheckCmd) Run(c *cli) error {
	cfg, err := config.Load(k.Config, os.LookupEnv)
	faults, ok := errors.AsType[config.Errors](err)
	if err != nil && !ok {
		return err
	}
	v := verdict{OK: err == nil, Errors: faults}
	if cfg != nil {
		v.Routes, v.Warnings = len(cfg.Routes), cfg.Warnings()
	}
	if !k.JSON {
		k.print(c, v)
	} else if err := printJSON(c, v); err != nil {
		return err
	}
	if !v.OK {
		return errors.New("the gateway would not start with " + k.Config + ": " + count(len(faults), "fault"))
	}
	return nil
}

func (k *ConfigCheckCmd) print(c *cli, v verdict) {
	fmt.Fprint(c.Stderr, v.Errors.Render())
	if len(v.Warnings) > 0 {
		fmt.Fprintf(c.Stderr, "%s:\n%s", count(len(v.Warnings), "warning"), v.Warnings.Render())
	}
	if v.OK {
		fmt.Fprintf(c.Stdout, "%s is good: %s\n", k.Config, count(v.Routes, "route"))
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ConfigShowCmd is `sallyport config show`.
type ConfigShowCmd struct {
	Config string `short:"c" help:"Routing file (default: sallyport.yaml in this folder)." default:"sallyport.yaml" placeholder:"FILE" env:"SALLYPORT_CONFIG"`
}

// Run prints the whole configuration; what it prints loads again.
func (k *ConfigShowCmd) Run(c *cli) error {
	cfg, err := config.Load(k.Config, os.LookupEnv)
	if err != nil {
		return err
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	_, err = c.Stdout.Write(text)
	return err
}

// ConfigSchemaCmd is `sallyport config schema`.
type ConfigSchemaCmd struct{}

// Run prints the schema.
func (k *ConfigSchemaCmd) Run(c *cli) error {
	text, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = c.Stdout.Write(text)
	return err
}
