package images

import (
	"archive/tar"

	"temper/checks"
)

var setuid = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "setuid",
		Severity: checks.Error,
		Source:   "https://man7.org/linux/man-pages/man7/inode.7.html",
		Doc: `no file in any layer has the setuid or setgid bit

Such a file runs as its owner, not as who starts it: it is the usual way from a
service's user to root, and a user that is not root is worth nothing beside it.

Remove the bits (chmod a-s) or the file; a distroless base has none. In
Kubernetes, allowPrivilegeEscalation: false takes the bits' effect away as well.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		for i := range img.Entries {
			e := &img.Entries[i]
			if e.inside || e.Type != tar.TypeReg && e.Type != tar.TypeLink {
				continue
			}
			switch e.Mode & 0o6000 {
			case 0o4000:
				p.Reportf(e.Place(), "it is setuid to user %d (mode %04o)", e.UID, e.Mode&0o7777)
			case 0o2000:
				p.Reportf(e.Place(), "it is setgid to group %d (mode %04o)", e.GID, e.Mode&0o7777)
			case 0o6000:
				p.Reportf(e.Place(), "it is setuid to user %d and setgid to group %d (mode %04o)", e.UID, e.GID, e.Mode&0o7777)
			}
		}
		return nil
	},
}
