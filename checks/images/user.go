package images

import (
	"errors"
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
runtime takes the user's from /etc/passwd, or 0.

Set the user to UID:GID, such as 65532:65532. Container runtimes parse numbers,
so 000 is root as well.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		const place = "config.User"
		value := img.Config.Config.User
		name, group, grouped := strings.Cut(value, ":")
		report := func(format string, args ...any) {
			p.Reportf(place, format, args...)
			p.Fixf("set the user to 65532:65532")
		}
		switch uid, err := strconv.ParseUint(name, 10, 32); {
		case value == "":
			report("no user is set: the container runs as root")
		case errors.Is(err, strconv.ErrRange):
			report("user %q does not fit a user id", name)
		case err != nil:
			report("user %q is not a number: the kubelet cannot tell whether it is root", name)
		case uid == 0:
			report("user %q is root", name)
		}
		if value == "" {
			return nil
		}
		switch gid, err := strconv.ParseUint(group, 10, 32); {
		case !grouped || group == "":
			report("no group is set in %q: the runtime takes the user's from /etc/passwd, or 0", value)
		case err != nil:
			report("group %q is not a number", group)
		case gid == 0:
			report("group %q is root's", group)
		}
		return nil
	},
}
