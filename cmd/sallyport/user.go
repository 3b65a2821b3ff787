package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport"
	"sallyport/admin"
	"sallyport/audit"
	"sallyport/config"
	"sallyport/identity"
	"sallyport/identity/local"
)

// UserCmd groups the commands on users. All of them work while the gateway runs;
// open sessions notice within a second.
type UserCmd struct {
	Add               UserAddCmd        `cmd:"" help:"Add a user."`
	List              UserListCmd       `cmd:"" help:"List users."`
	Show              UserShowCmd       `cmd:"" help:"Show one user: links, methods, sessions, devices, lockouts."`
	SetState          UserSetStateCmd   `cmd:"" help:"Set the per-user MFA state: disabled, enabled or enforced."`
	SetPassword       UserSetPwCmd      `cmd:"" help:"Set a local password; ends the user's sessions and remembered devices."`
	Link              UserLinkCmd       `cmd:"" help:"Tie an account at an identity provider to a user."`
	Unlink            UserUnlinkCmd     `cmd:"" help:"Remove such a tie; sessions that began there end."`
	Unlock            UserUnlockCmd     `cmd:"" help:"End all lockouts of a user."`
	RequireReregister UserReregisterCmd `cmd:"" help:"Delete authenticator apps and recovery codes; the user registers again at the next sign-in."`
	Revoke            UserRevokeCmd     `cmd:"" help:"End all sessions and remembered devices of a user."`
	Disable           UserDisableCmd    `cmd:"" help:"Refuse every sign-in of a user, and end what is open."`
	Enable            UserEnableCmd     `cmd:"" help:"Let a disabled user sign in again."`
	Delete            UserDeleteCmd     `cmd:"" help:"Delete a user and all that is theirs but the audit log."`
}

// adminFlags are the flags of every command that opens the store.
type adminFlags struct {
	Config string `short:"c" help:"Routing file (default: sallyport.yaml in this folder)." default:"sallyport.yaml" placeholder:"FILE" env:"SALLYPORT_CONFIG"`
	Reason string `help:"Why; kept in the audit log." placeholder:"TEXT"`
	JSON   bool   `help:"Print JSON."`
}

// named is a command about one user.
type named struct {
	adminFlags
	Name string `arg:"" help:"Sign-in name, mail address or ID."`
}

// with opens the store of the routing file and hands the operations on users to do.
func (f adminFlags) with(c *cli, do func(ctx context.Context, part *config.Partial, users *admin.Users) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	part, db, err := openStore(ctx, c, f.Config)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, part, admin.NewUsers(db, c.Now, actor(), f.Reason)), db.Close())
}

// actor names who runs a command, for the audit log.
func actor() string {
	if u, err := user.Current(); err == nil {
		return "admin:" + u.Username
	}
	return "admin:unknown"
}

// UserAddCmd is `sallyport user add`.
type UserAddCmd struct {
	adminFlags
	Name          string `arg:"" help:"Sign-in name."`
	Email         string `help:"Mail address." placeholder:"ADDRESS"`
	FullName      string `name:"name" help:"Name as shown." placeholder:"NAME"`
	State         string `help:"MFA state: disabled, enabled or enforced (default: mfa.default_state)." placeholder:"STATE"`
	PasswordStdin bool   `help:"Read a local password from standard input: one line."`
}

// Run adds the user.
func (a *UserAddCmd) Run(c *cli) error {
	return a.with(c, func(ctx context.Context, part *config.Partial, users *admin.Users) error {
		n := admin.NewUser{Name: a.Name, Email: a.Email, DisplayName: a.FullName, State: sallyport.State(a.State)}
		if a.State == "" {
			state, err := part.DefaultState()
			if err != nil {
				return err
			}
			n.State = state
		}
		if a.PasswordStdin {
			pw, err := readPassword(ctx, c, part, a.Name, a.Email, a.FullName)
			if err != nil {
				return err
			}
			n.Password = pw
		}
		u, err := users.Add(ctx, n)
		if err != nil {
			return err
		}
		return a.print(c, userJSON(u), "added %s (%s), state %s\n", u.Name, u.ID, u.State)
	})
}

// readPassword reads one line, checks it against the rule of the local provider,
// and hashes it.
func readPassword(ctx context.Context, c *cli, part *config.Partial, names ...string) (*admin.Password, error) {
	entry, err := part.Local()
	if errors.Is(err, sallyport.ErrNotFound) {
		return nil, errors.New("no identity entry of type local: there is nowhere to keep a password")
	}
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(io.LimitReader(c.Stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	pw := strings.TrimRight(line, "\r\n")
	if pw == "" {
		return nil, errors.New("standard input was empty: the password is read from it, one line")
	}
	if err := entry.Local.Password.Check(pw, names...); err != nil {
		return nil, err
	}
	hasher, err := local.NewHasher(entry.Local.Hash)
	if err != nil {
		return nil, err
	}
	hash, err := hasher.Hash(ctx, pw)
	if err != nil {
		return nil, err
	}
	return &admin.Password{Provider: entry.Name, Hash: hash}, nil
}

// print writes v as JSON, or the line for people.
func (f adminFlags) print(c *cli, v any, format string, args ...any) error {
	if f.JSON {
		return printJSON(c, v)
	}
	_, err := fmt.Fprintf(c.Stdout, format, args...)
	return err
}

// printJSON prints v on one line. Names and user agents come from strangers: what a
// terminal would obey is escaped.
func printJSON(c *cli, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := c.Stdout.Write(audit.EscapeJSON(b.Bytes()))
	return err
}

// UserListCmd is `sallyport user list`.
type UserListCmd struct{ adminFlags }

// Run lists the users.
func (l *UserListCmd) Run(c *cli) error {
	return l.with(c, func(ctx context.Context, _ *config.Partial, users *admin.Users) error {
		all, err := users.List(ctx, "", 0)
		if err != nil {
			return err
		}
		if l.JSON {
			out := make([]userView, len(all))
			for i, u := range all {
				out[i] = userJSON(u)
			}
			return printJSON(c, out)
		}
		w := tabwriter.NewWriter(c.Stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tSTATE\tEMAIL\tFULL NAME\tLAST SIGN-IN")
		for _, u := range all {
			state := string(u.State)
			if u.SignInDisabled {
				state += ", sign-in disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", plain(u.Name), state, plain(u.Email), plain(u.DisplayName), when(u.LastSignInAt))
		}
		return w.Flush()
	})
}

// UserShowCmd is `sallyport user show`.
type UserShowCmd struct{ named }

// Run shows one user.
func (s *UserShowCmd) Run(c *cli) error {
	return s.with(c, func(ctx context.Context, _ *config.Partial, users *admin.Users) error {
		d, err := users.Show(ctx, s.Name)
		if err != nil {
			return err
		}
		if s.JSON {
			return printJSON(c, detailsJSON(d))
		}
		return printDetails(c.Stdout, d)
	})
}

// UserSetStateCmd is `sallyport user set-state`.
type UserSetStateCmd struct {
	named
	State string `arg:"" enum:"disabled,enabled,enforced" help:"disabled, enabled or enforced."`
}

// Run sets the state.
func (s *UserSetStateCmd) Run(c *cli) error {
	return s.with(c, func(ctx context.Context, _ *config.Partial, users *admin.Users) error {
		u, err := users.SetState(ctx, s.Name, sallyport.State(s.State))
		if err != nil {
			return err
		}
		return s.print(c, userJSON(u), "%s is %s\n", u.Name, u.State)
	})
}

// UserSetPwCmd is `sallyport user set-password`.
type UserSetPwCmd struct {
	named
	PasswordStdin bool `help:"Read the password from standard input: one line." required:""`
}

// Run sets the password.
func (s *UserSetPwCmd) Run(c *cli) error {
	return s.with(c, func(ctx context.Context, part *config.Partial, users *admin.Users) error {
		u, err := users.Find(ctx, s.Name)
		if err != nil {
			return err
		}
		pw, err := readPassword(ctx, c, part, u.Name, u.Email, u.DisplayName)
		if err != nil {
			return err
		}
		if err := users.SetPassword(ctx, s.Name, *pw); err != nil {
			return err
		}
		return s.print(c, userJSON(u), "password of %s set; sessions and remembered devices ended\n", u.Name)
	})
}

// UserLinkCmd is `sallyport user link`.
type UserLinkCmd struct {
	named
	Provider string `required:"" help:"Name of the identity entry."`
	Subject  string `help:"The account's stable ID there (OIDC: the sub claim); this or --login." xor:"which"`
	Login    string `help:"The account's sign-in name there, which is looked up (LDAP); this or --subject." xor:"which"`
	Issuer   string `help:"Issuer of the subject, as the audit log names it (default: the one of the identity entry)."`
}

// Run links.
func (l *UserLinkCmd) Run(c *cli) error {
	if l.Subject == "" && l.Login == "" {
		return usageError("say which account: --subject or --login")
	}
	return l.with(c, func(ctx context.Context, part *config.Partial, users *admin.Users) error {
		entry, err := part.Provider(l.Provider)
		if err != nil {
			return err
		}
		if entry.Local != nil { // its accounts are in our store, each with its user
			return fmt.Errorf("accounts of %s belong to their users from the start: there is nothing to link; `sallyport user set-password` gives a user one", l.Provider)
		}
		link := sallyport.Link{Provider: l.Provider, Subject: l.Subject, Username: l.Login}
		if l.Subject == "" {
			if link.Issuer, link.Subject, err = lookUp(ctx, entry, l.Login); err != nil {
				return err
			}
		} else if link.Issuer = l.Issuer; link.Issuer == "" {
			link.Issuer = issuerOf(entry)
		}
		if err := users.Link(ctx, l.Name, link); err != nil {
			return err
		}
		return l.print(c, linkJSON(link), "linked %s at %s to %s\n", link.Subject, l.Provider, l.Name)
	})
}

// issuerOf returns what links of a provider carry as their issuer.
func issuerOf(entry *config.Identity) string {
	if entry.OIDC != nil {
		return entry.OIDC.Issuer
	}
	return entry.LDAP.BaseDN
}

// lookUp asks a provider for the account of a sign-in name.
func lookUp(ctx context.Context, entry *config.Identity, login string) (issuer, subject string, err error) {
	p, closeProvider, err := passwordProvider(entry)
	if err != nil {
		return "", "", err
	}
	defer closeProvider()
	var acc identity.Account
	if acc, err = p.FindAccount(ctx, login); err != nil {
		return "", "", err
	}
	if !acc.Known() {
		return "", "", fmt.Errorf("%s knows no %q: %w", entry.Name, login, sallyport.ErrNotFound)
	}
	return acc.Issuer, acc.Subject, nil
}

// UserUnlinkCmd is `sallyport user unlink`.
type UserUnlinkCmd struct {
	named
	Provider string `required:"" help:"Name of the identity entry."`
	Subject  string `help:"Which account, where there are several."`
}

// Run unlinks.
func (u *UserUnlinkCmd) Run(c *cli) error {
	return u.with(c, func(ctx context.Context, _ *config.Partial, users *admin.Users) error {
		if err := users.Unlink(ctx, u.Name, u.Provider, u.Subject); err != nil {
			return err
		}
		return u.done(c, "unlinked %s from %s\n", u.Provider, u.Name)
	})
}

func (n named) done(c *cli, format string, args ...any) error {
	return n.print(c, map[string]bool{"ok": true}, format, args...)
}

// UserUnlockCmd is `sallyport user unlock`.
type UserUnlockCmd struct{ named }

// Run unlocks.
func (u *UserUnlockCmd) Run(c *cli) error {
	return u.simple(c, (*admin.Users).Unlock, "unlocked %s\n")
}

// UserReregisterCmd is `sallyport user require-reregister`.
type UserReregisterCmd struct{ named }

// Run makes the user register again.
func (u *UserReregisterCmd) Run(c *cli) error {
	return u.simple(c, (*admin.Users).RequireReregister, "%s registers again at the next sign-in\n")
}

// UserRevokeCmd is `sallyport user revoke`.
type UserRevokeCmd struct{ named }

// Run revokes.
func (u *UserRevokeCmd) Run(c *cli) error {
	return u.simple(c, (*admin.Users).Revoke, "ended all sessions and remembered devices of %s\n")
}

// UserDeleteCmd is `sallyport user delete`.
type UserDeleteCmd struct{ named }

// Run deletes.
func (u *UserDeleteCmd) Run(c *cli) error {
	return u.simple(c, (*admin.Users).Delete, "deleted %s\n")
}

// UserDisableCmd is `sallyport user disable`.
type UserDisableCmd struct{ named }

// Run disables sign-in.
func (u *UserDisableCmd) Run(c *cli) error {
	return u.simple(c, func(a *admin.Users, ctx context.Context, name string) error {
		_, err := a.SetSignIn(ctx, name, false)
		return err
	}, "%s cannot sign in any more\n")
}

// UserEnableCmd is `sallyport user enable`.
type UserEnableCmd struct{ named }

// Run enables sign-in.
func (u *UserEnableCmd) Run(c *cli) error {
	return u.simple(c, func(a *admin.Users, ctx context.Context, name string) error {
		_, err := a.SetSignIn(ctx, name, true)
		return err
	}, "%s can sign in again\n")
}

func (n named) simple(c *cli, do func(*admin.Users, context.Context, string) error, message string) error {
	return n.with(c, func(ctx context.Context, _ *config.Partial, users *admin.Users) error {
		if err := do(users, ctx, n.Name); err != nil {
			return err
		}
		return n.done(c, message, plain(n.Name))
	})
}
