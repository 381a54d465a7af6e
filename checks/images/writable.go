package images

import (
	"archive/tar"
	"strings"

	"temper/checks"
)

var worldWritable = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "world-writable",
		Severity: checks.Error,
		Source:   "https://man7.org/linux/man-pages/man7/inode.7.html",
		Doc: `no file or folder in any layer can be written by everybody, but a sticky /tmp

What everybody may write, whoever breaks into the service may write: a
configuration, a template, a program beside it. In a folder that everybody may
write, files can be replaced whatever their own modes are.

Write files with mode 0444 and folders with 0555 or 0755; Temper does. Scratch
files go to /tmp or /var/tmp with the sticky bit (1777), so that nobody can replace
the files of others; better still to a volume.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		for i := range img.Entries {
			e := &img.Entries[i]
			switch {
			case e.inside, e.Mode&0o002 == 0, strings.HasPrefix(e.Base(), whiteoutPrefix):
			case e.Type == tar.TypeReg, e.Type == tar.TypeLink:
				p.Reportf(e.Place(), "everybody may write it (mode %04o)", e.Mode&0o7777)
			case e.Type == tar.TypeDir && e.Mode&0o1000 == 0:
				p.Reportf(e.Place(), "everybody may write the folder, and replace what is in it (mode %04o)", e.Mode&0o7777)
			case e.Type == tar.TypeDir && e.Path != "tmp" && e.Path != "var/tmp":
				p.Reportf(e.Place(), "everybody may write into the folder, which is neither /tmp nor /var/tmp (mode %04o)", e.Mode&0o7777)
			}
		}
		return nil
	},
}
