package images

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"temper/checks"
)

var user = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "user",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted",
		Doc: `the image runs as a numeric user and group other than 0

A process that is root in its container is one kernel bug away from root on its
host. The kubelet refuses runAsNonRoot for an image whose user is a name,
because it cannot know the number behind it; and where a group is not named the
runtime takes the user's from /etc/passwd, or 0. Kubernetes' runtimes add the
groups that the image's /etc/group has the user in.

Set the user to UID:GID, such as 65532:65532. Container runtimes parse numbers,
so 000 and +0 are root as well. Every finding of the rule is an error, that of a
missing group too: group 0 may write what root's group may.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		const place = "config.User"
		value := img.Config.Config.User
		report := func(format string, args ...any) {
			p.Reportf(place, format, args...)
			p.Fixf("set the user to 65532:65532")
		}
		if value == "" {
			report("no user is set: the container runs as root")
			return nil
		}
		name, group, _ := strings.Cut(value, ":")
		for _, file := range []string{"/etc/passwd", "/etc/group"} {
			if _, err := img.read(file); err != nil {
				p.Reportf(place, "it cannot be told whether the user is in root's group: %v", err)
			}
		}
		passwd := img.accounts("/etc/passwd")
		account := passwd.named(name)
		switch uid, err := parseID(name); {
		case err == nil && uid == 0:
			report("user %q is root", name)
		case err == nil:
			account = passwd.numbered(name)
		case !errors.Is(err, strconv.ErrSyntax):
			report("user %q does not fit a user id", name)
		case name == "":
			report("no user is set in %q: the container runs as root", value)
		case account == nil:
			report("user %q is not a number, and no /etc/passwd of the image gives it one", name)
		case account.root(2):
			report("user %q is root: /etc/passwd gives it the number 0", name)
		default:
			report("user %q is not a number: the kubelet cannot tell whether it is root", name)
		}
		if account != nil && img.accounts("/etc/group").rootsMember(account[0]) {
			report("user %q is %s, whom /etc/group makes a member of root's group", name, printable(account[0]))
		}
		if group == "" {
			if account.root(3) {
				report("no group is set in %q: /etc/passwd gives the user root's", value)
			} else {
				report("no group is set in %q: the runtime takes the user's from /etc/passwd, or 0", value)
			}
			return nil
		}
		switch gid, err := parseID(group); {
		case err == nil && gid == 0:
			report("group %q is root's", group)
		case err == nil:
		case !errors.Is(err, strconv.ErrSyntax):
			report("group %q does not fit a group id", group)
		case img.accounts("/etc/group").named(group).root(2):
			report("group %q is root's: /etc/group gives it the number 0", group)
		default:
			report("group %q is not a number", group)
		}
		return nil
	},
}

// parseID parses a number as runtimes do, signs and all. Numbers that they refuse
// to start a container with are out of range.
// https://pkg.go.dev/github.com/moby/sys/user#GetExecUser
func parseID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (id < 0 || id > math.MaxInt32) {
		err = strconv.ErrRange
	}
	return id, err
}

// accounts are the lines of /etc/passwd or /etc/group, split at the colons. They
// tell who is a member of root's group; the rule reports those that cannot be read.
type accounts []account

// An account is nil where there is none.
type account []string

func (img *Image) accounts(name string) accounts {
	raw, err := img.read(name)
	if err != nil {
		return nil
	}
	var all accounts
	for line := range strings.Lines(string(raw)) {
		all = append(all, strings.Split(strings.TrimSpace(line), ":"))
	}
	return all
}

// named and numbered return the first that a runtime would take.
func (all accounts) named(name string) account {
	for _, a := range all {
		if a[0] == name {
			return a
		}
	}
	return nil
}

func (all accounts) numbered(id string) account {
	want, err := parseID(id)
	for _, a := range all {
		if len(a) > 2 && err == nil {
			if got, err := parseID(a[2]); err == nil && got == want {
				return a
			}
		}
	}
	return nil
}

// rootsMember tells whether a group of number 0 lists the name.
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#implicit-group-memberships-defined-in-etc-group-in-the-container-image
func (all accounts) rootsMember(name string) bool {
	for _, g := range all {
		if len(g) > 3 && g.root(2) && slices.Contains(strings.Split(g[3], ","), name) {
			return true
		}
	}
	return false
}

// root tells whether the number in a field is 0, which it is to a runtime where
// it cannot be read as a number.
func (a account) root(field int) bool {
	if a == nil {
		return false
	}
	if len(a) <= field {
		return true
	}
	id, err := parseID(a[field])
	return err != nil || id == 0
}
