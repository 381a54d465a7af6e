package images

import (
	"archive/tar"

	"temper/checks"
)

var onlyExecutable = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "only-executable",
		Severity: checks.Error,
		Source:   "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
		Doc: `the service's binary is the only executable in any layer

A list of bad tools proves nothing: the next tool has another name. The image of
a service needs one executable, so any other file that is one is a finding,
whatever it is called: ELF, script, or anything with an x bit. Layers are read
one by one, because what an upper layer deletes is still there for whoever pulls
the image, and archives are unpacked, three deep. What cannot be unpacked, for
its form or its size, is a finding too.

Start from an empty or distroless base and copy in the binary and plain data.
Write assets without x bits; Temper does.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		for i := range img.Entries {
			e := &img.Entries[i]
			if e == img.Entrypoint || e.Type != tar.TypeReg && e.Type != tar.TypeLink {
				continue
			}
			switch {
			case e.unopened != "":
				p.Reportf(e.Place(), "%s", e.unopened)
			case e.inside && e.Format != "":
				p.Reportf(e.Place(), "it is %s in an archive", e.Format)
			case e.inside:
			case e.Format != "":
				p.Reportf(e.Place(), "it is %s (mode %04o)", e.Format, e.Mode&0o7777)
			case e.Type == tar.TypeLink && (e.Mode&0o111 != 0 || img.names(e, img.Entrypoint)):
				p.Reportf(e.Place(), "it is another name of /%s, executable (mode %04o)", printable(e.Link), e.Mode&0o7777)
			case e.Mode&0o111 != 0:
				p.Reportf(e.Place(), "it is executable (mode %04o)", e.Mode&0o7777)
			}
		}
		return nil
	},
}
