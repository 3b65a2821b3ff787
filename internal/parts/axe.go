package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Violation is a fault that axe-core found on a page.
type Violation struct {
	ID     string   // the rule, such as "color-contrast"
	Impact string   // minor, moderate, serious or critical
	Help   string   // what to do
	Nodes  []string // for each fault its selector, its HTML and what is wrong
}

// String says the fault in a few lines.
func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s\n\t%s", v.ID, v.Impact, v.Help, strings.Join(v.Nodes, "\n\t"))
}

// axeRun runs in the page after axe-core and gives what Violation holds.
const axeRun = `axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations.map(v => ({
	ID: v.id, Impact: v.impact, Help: v.help,
	Nodes: v.nodes.map(n => n.target.join(' ') + ': ' + n.html + ': ' + (n.failureSummary || '').replace(/\s+/g, ' ')),
}))))`

// Axe checks the page that the tab shows with axe-core. It runs in an isolated
// world beside the page's own scripts, so the page's content security policy
// stays in force and neither hinders nor notices it.
func (b *Browser) Axe(ctx context.Context) ([]Violation, error) {
	b.t.Helper()
	if b.axe == "" {
		file := filepath.Join(needNPM(b.t, "axe-core"), "node_modules", "axe-core", "axe.min.js")
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read axe-core: %w", err)
		}
		b.axe = string(source)
	}
	result, err := chromedp.Run(ctx, inIsolatedWorld(b.axe+"\n;0", axeRun))
	if err != nil {
		return nil, fmt.Errorf("run axe-core: %w", err)
	}
	var found []Violation
	if err := json.Unmarshal([]byte(result), &found); err != nil {
		return nil, fmt.Errorf("read what axe-core found: %w", err)
	}
	return found, nil
}

// inIsolatedWorld evaluates the scripts one after the other in a fresh isolated
// world of the main frame and returns the string that the last one gives.
func inIsolatedWorld(scripts ...string) chromedp.Action[string] {
	return func(ctx context.Context, target *chromedp.Target) (string, error) {
		tree, err := cdp.Call(ctx, target, page.GetFrameTree, cdp.Empty{})
		if err != nil {
			return "", err
		}
		world, err := cdp.Call(ctx, target, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{
			FrameID: tree.FrameTree.Frame.ID, WorldName: "sallyport-tests",
		})
		if err != nil {
			return "", err
		}
		var last string
		yes := true
		for _, script := range scripts {
			res, err := cdp.Call(ctx, target, runtime.Evaluate, runtime.EvaluateParams{
				Expression: script, ContextID: world.ExecutionContextID,
				AwaitPromise: &yes, ReturnByValue: &yes,
			})
			if err != nil {
				return "", err
			}
			if res.ExceptionDetails != nil {
				return "", fmt.Errorf("the script failed: %s", exceptionText(res.ExceptionDetails))
			}
			last = ""
			_ = json.Unmarshal(res.Result.Value, &last) // only the last one is a string
		}
		return last, nil
	}
}

func exceptionText(details *runtime.ExceptionDetails) string {
	if details.Exception != nil && details.Exception.Description != "" {
		return details.Exception.Description
	}
	return details.Text
}
