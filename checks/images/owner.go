package images

import (
	"archive/tar"
	"path"
	"slices"
	"strings"

	"temper/checks"
)

var entrypointOwner = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "entrypoint-owner",
		Severity: checks.Error,
		Source:   "https://docs.docker.com/build/building/best-practices/#user",
		Doc: `the entrypoint and the folders above it belong to root, and the service cannot write them

A service that may write its own program turns a hole into a home: what it
writes there starts again with the container. The owner of a file may write it
whatever its mode says, and the owner of a folder may put another file in its
place. It is an error, not advice, because nothing is gained by it.

Copy the binary without --chown, with mode 0555, into a folder of root's;
Temper does.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		if img.Entrypoint == nil {
			return nil // the entrypoint rule has said it
		}
		_, way := img.tree.walk(img.Command()[0])
		// To unpack a hard link is to set the owner of the file that it names.
		for i := range img.Entries {
			if e := &img.Entries[i]; img.names(e, img.Entrypoint) && !slices.Contains(way, e) {
				way = append(way, e)
			}
		}
		// The user rule judges a user that is no number.
		_, group, _ := strings.Cut(img.Config.Config.User, ":")
		gid, err := parseID(group)
		for _, e := range append(way, img.Entrypoint) {
			switch {
			case e.Type == tar.TypeSymlink: // it has no mode: its folder decides
			case e.UID != 0:
				p.Reportf(e.Place(), "it belongs to user %d, not to root (mode %04o)", e.UID, e.Mode&0o7777)
			case e.Mode&0o020 != 0 && err == nil && gid != 0 && int64(e.GID) == gid:
				p.Reportf(e.Place(), "the service's group %d may write it (mode %04o)", gid, e.Mode&0o7777)
			case e.Mode&0o002 != 0 && (e.Type != tar.TypeDir || e.Mode&0o1000 == 0):
				p.Reportf(e.Place(), "the service may write it (mode %04o)", e.Mode&0o7777)
			}
		}
		return nil
	},
}

// names tells whether the entry is a hard link to a file, or to its path.
func (img *Image) names(e, file *Entry) bool {
	return file != nil && e.Type == tar.TypeLink && !e.inside &&
		(img.tree.linked[e] == file || path.Clean("/" + e.Link)[1:] == file.Path)
}
