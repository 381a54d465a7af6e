package images

import (
	"path"
	"slices"

	"temper/checks"
)

var entrypoint = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "entrypoint",
		Severity: checks.Error,
		Source:   "https://docs.docker.com/reference/dockerfile/#shell-and-exec-form",
		Doc: `the entrypoint is an absolute path, in exec form, to an executable in the image

In shell form the service is a child of a shell: it gets no SIGTERM, is killed
after the grace period, and the image needs a shell to start at all. A relative
name is looked up in PATH, which the manifest can change.

Write the entrypoint as a list whose first element is the binary's absolute path:
ENTRYPOINT ["/usr/local/bin/orders"].`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		const place = "config.Entrypoint"
		c := img.Config.Config
		command := img.Command()
		if len(command) == 0 {
			p.Reportf(place, "neither an entrypoint nor a command is set")
			return nil
		}
		if len(c.Entrypoint) == 0 {
			p.Reportf(place, "only a command is set: any argument replaces the program")
			p.Fixf("make %q the entrypoint", command[0])
		}
		if shells[path.Base(command[0])] && slices.Contains(command[1:], "-c") {
			p.Reportf(place, "it is in shell form: %q", command)
			return nil
		}
		switch e := img.Entrypoint; {
		case !path.IsAbs(command[0]):
			p.Reportf(place, "%q is not an absolute path", command[0])
		case e == nil:
			p.Reportf(place, "%s is not in the image", command[0])
		case e.Format != ELF:
			p.Reportf(place, "%s is not an ELF executable", command[0])
		case e.Unreadable != "":
			p.Reportf(place, "%s is no executable that can be looked at: %s", command[0], e.Unreadable)
		case e.Mode&0o111 == 0:
			p.Reportf(place, "%s has no x bit (mode %04o)", command[0], e.Mode&0o7777)
		}
		return nil
	},
}
