package images

import (
	"archive/tar"
	"fmt"
	"strings"

	"temper/checks"
)

var emptyPassword = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "empty-password",
		Severity: checks.Error,
		Source:   "https://man7.org/linux/man-pages/man5/shadow.5.html",
		Doc: `no account of any layer logs in without a password

An empty field in /etc/shadow or /etc/passwd is a password that is empty: whoever
runs su or login in the container is that account, and root is often it. Alpine
3.3 to 3.9 shipped root that way.

Put an x into the field of /etc/passwd and * or ! into that of /etc/shadow, or
use a base that has no /etc/shadow.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		for i := range img.Entries {
			e := &img.Entries[i]
			if e.inside || e.Path != "etc/shadow" && e.Path != "etc/passwd" || e.Type != tar.TypeReg {
				continue
			}
			if e.content == nil {
				return fmt.Errorf("%s has %d bytes, which are not looked into", e.Place(), e.Size)
			}
			for line := range strings.Lines(string(e.content)) {
				fields := strings.Split(strings.TrimSpace(line), ":")
				// A plus or minus says which accounts of NIS there are.
				if len(fields) > 1 && strings.Trim(fields[0], "+-") != "" && fields[1] == "" {
					p.Reportf(e.Place(), "account %s has an empty password", printable(fields[0]))
				}
			}
		}
		return nil
	},
}
