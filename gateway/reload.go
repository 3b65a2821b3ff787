package gateway

import (
	"context"
	"fmt"
	"os"
	"strings"

	"sallyport/audit"
	"sallyport/config"
)

// runGenerations runs the background work of the generation in force, and puts a
// new one in force at SIGHUP or when the routing file changes.
func (g *Gateway) runGenerations(ctx context.Context, trigger chan string) error {
	g.current.Load().start(ctx)
	if g.o.Load == nil {
		<-ctx.Done()
		return nil
	}
	poke := func(why string) { ask(trigger, why) }
	watch, err := config.Watch(ctx, g.o.Config, g.log, func() { poke("file changed") })
	if err != nil {
		// The gateway is of use without it: SIGHUP still reloads.
		g.log.Error("cannot watch the routing file; reload with a signal", "error", err)
	} else {
		defer watch.Close()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case why := <-trigger:
			if err := g.Reload(ctx, why); err == nil && watch != nil {
				watch.Follow(g.current.Load().cfg)
			}
		}
	}
}

// ask asks for a reload; one that is waiting already will read the newest file.
func ask(trigger chan string, why string) {
	select {
	case trigger <- why:
	default:
	}
}

// Reload reads the routing file and puts it in force, whole or not at all: on any
// fault the state in force stays, the fault is logged and counted.
func (g *Gateway) Reload(ctx context.Context, why string) (err error) {
	defer notifyReload()()
	result, after := audit.Success, ""
	defer func() {
		g.metrics.reloaded(g.o.Now(), err == nil)
		reason := why
		if err != nil {
			result, reason = audit.Failure, why+": "+oneLine(err)
			g.log.Error("the routing file is not in force; the gateway goes on with the one before", "why", why, "error", err)
		} else {
			g.log.Info("the routing file is in force", "why", why)
		}
		ev := audit.New(g.o.Now(), audit.ConfigReloaded, result)
		ev.Actor, ev.Reason, ev.After = "system", reason, after
		if err := g.db.AppendEvents(ctx, ev); err != nil {
			g.log.Error("cannot record the reload", "error", err)
		}
	}()
	cfg, err := g.o.Load()
	if err != nil {
		return err
	}
	if keys := config.RestartNeeded(g.current.Load().cfg, cfg); len(keys) > 0 {
		return fmt.Errorf("%s changed: needs a restart", strings.Join(keys, ", "))
	}
	gen, err := g.build(cfg)
	if err != nil {
		return err
	}
	gen.start(ctx)
	g.certs.SetHosts(hosts(cfg))
	g.sessions.Configure(cfg.Session, cfg.MFA.RememberDevice)
	old := g.current.Swap(gen)
	old.close()
	after = fmt.Sprintf("%d routes", len(cfg.Routes))
	for _, w := range cfg.Warnings() {
		g.log.Warn("routing file", "warning", w.Error())
	}
	return nil
}

// oneLine is an error for a field of an event: a file can have thousands of
// faults, and the first few say where to look. The log has them all.
func oneLine(err error) string {
	const most = 1000
	text := []rune(strings.ReplaceAll(err.Error(), "\n", "; "))
	if len(text) > most {
		text = append(text[:most], '…')
	}
	return string(text)
}

// LoadFile returns a function that loads the routing file at path.
func LoadFile(path string) func() (*config.Config, error) {
	return func() (*config.Config, error) { return config.Load(path, os.LookupEnv) }
}
