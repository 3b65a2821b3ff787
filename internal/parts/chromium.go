package parts

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// tabTimeout ends a tab whose test waits for something that never comes:
// chromedp waits for a selector until its context ends.
const tabTimeout = 2 * time.Minute

// Browser is a running headless Chromium with an empty profile of its own.
type Browser struct {
	t    testing.TB
	root context.Context // the browser itself, without time limit
	opts browserOptions
	axe  string // source of axe-core, read at first use
}

type browserOptions struct {
	caFiles       []string
	width, height int64
	mobile, dark  bool
	language      string
	hostRules     string
}

// BrowserOption changes how Chromium starts.
type BrowserOption func(*browserOptions)

// WithCA trusts the server certificates whose chain, as the server sends it,
// contains one of the certificates in these PEM files. A server that sends only
// its leaf needs the leaf here.
func WithCA(files ...string) BrowserOption {
	return func(o *browserOptions) { o.caFiles = append(o.caFiles, files...) }
}

// WithViewport sets the size of the page in CSS pixels; it is 1280 by 900
// unless told. Below 600 pixels of width the tab behaves like a phone: the
// viewport meta tag counts and there is touch.
func WithViewport(width, height int) BrowserOption {
	return func(o *browserOptions) {
		o.width, o.height, o.mobile = int64(width), int64(height), width < 600
	}
}

// WithLanguage sets what the browser asks for in Accept-Language, such as "ja".
// It is "en" unless told.
func WithLanguage(tag string) BrowserOption {
	return func(o *browserOptions) { o.language = tag }
}

// WithDark makes the browser prefer a dark colour scheme.
func WithDark() BrowserOption {
	return func(o *browserOptions) { o.dark = true }
}

// WithHostRules replaces the host resolver rules, which send every *.localhost
// to 127.0.0.1, for example by "MAP *.example 127.0.0.1".
func WithHostRules(rules string) BrowserOption {
	return func(o *browserOptions) { o.hostRules = rules }
}

// Chromium starts a headless Chromium and stops it when the test ends.
func Chromium(t testing.TB, opts ...BrowserOption) *Browser {
	t.Helper()
	path := needProgram(t, installHint+" (Debian: apt-get install chromium fonts-noto-cjk)",
		"chromium", "chromium-browser", "google-chrome")
	b := &Browser{t: t, opts: browserOptions{
		width: 1280, height: 900, language: "en", hostRules: "MAP *.localhost 127.0.0.1",
	}}
	for _, opt := range opts {
		opt(&b.opts)
	}
	// The allocator makes the profile in a temporary folder and removes it.
	allocator, stop := chromedp.NewExecAllocator(context.Background(), b.flags(path)...)
	t.Cleanup(stop)
	root, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(func() {
		limited, done := context.WithTimeout(root, stopTimeout)
		defer done()
		_ = chromedp.Cancel(limited) // on a failure the kill below ends it
		cancel()
	})
	b.root = root
	if err := chromedp.Do(root); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return b
}

func (b *Browser) flags(path string) []chromedp.ExecAllocatorOption {
	b.t.Helper()
	flags := slices.Clone(chromedp.DefaultExecAllocatorOptions[:])
	flags = append(flags,
		chromedp.ExecPath(path),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("no-pings", true),
		chromedp.Flag("lang", b.opts.language),
		chromedp.Flag("accept-lang", b.opts.language),
		chromedp.Flag("host-resolver-rules", b.opts.hostRules),
	)
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox) // Chromium refuses its sandbox to root
	}
	if len(b.opts.caFiles) > 0 {
		flags = append(flags, chromedp.Flag("ignore-certificate-errors-spki-list", b.keyHashes()))
	}
	return flags
}

// keyHashes returns what Chromium's flag wants to know about the authorities:
// the SHA-256 of each public key in base64, separated by commas.
func (b *Browser) keyHashes() string {
	b.t.Helper()
	var hashes []string
	for _, file := range b.opts.caFiles {
		rest, err := os.ReadFile(file)
		if err != nil {
			b.t.Fatalf("read an authority for the browser: %v", err)
		}
		var block *pem.Block
		for block, rest = pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" {
				continue
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				b.t.Fatalf("read an authority for the browser in %s: %v", file, err)
			}
			sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
			hashes = append(hashes, base64.StdEncoding.EncodeToString(sum[:]))
		}
	}
	return strings.Join(hashes, ",")
}

// Tab opens a tab and returns its context for chromedp. Tabs share cookies. The
// context ends with the test, and after two minutes at the latest.
func (b *Browser) Tab() context.Context {
	b.t.Helper()
	return b.open()
}

// Private opens a tab that shares no cookies with any other, as a second person
// at a second computer. The context ends as that of Tab.
func (b *Browser) Private() context.Context {
	b.t.Helper()
	return b.open(chromedp.WithNewBrowserContext())
}

func (b *Browser) open(opts ...chromedp.ContextOption) context.Context {
	b.t.Helper()
	tab, closeTab := chromedp.NewContext(b.root, opts...)
	b.t.Cleanup(closeTab)
	var emulate []chromedp.EmulateViewportOption
	if b.opts.mobile {
		emulate = append(emulate, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	scheme := "light"
	if b.opts.dark {
		scheme = "dark"
	}
	err := chromedp.Do(tab,
		chromedp.EmulateViewport(b.opts.width, b.opts.height, emulate...),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}))
	if err != nil {
		b.t.Fatalf("open a tab: %v", err)
	}
	// The tab dies with the context of its first use, so the limit comes after.
	limited, cancel := context.WithTimeout(tab, tabTimeout)
	b.t.Cleanup(cancel)
	return limited
}

// Screenshot saves the whole page of a tab as artefacts/NAME.png in the
// repository, a folder that git ignores, and returns the file's name.
func (b *Browser) Screenshot(ctx context.Context, name string) string {
	b.t.Helper()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("take the screenshot %s: %v", name, err)
	}
	file := filepath.Join(Root(b.t), "artefacts", filepath.FromSlash(name)+".png")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatalf("make the folder of the screenshots: %v", err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		b.t.Fatalf("save the screenshot %s: %v", name, err)
	}
	return file
}
