package workloads

import (
	"archive/tar"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"temper/checks/images"
)

// ImageOf is what an image tells of itself to the rules that hold a manifest
// against it: all but what only its service and its code know, by which names it
// answers and what else than its volumes it writes to.
func ImageOf(name string, img *images.Image) *Image {
	config := img.Config.Config
	out := &Image{
		Name: name, Entrypoint: config.Entrypoint, Command: config.Cmd, User: config.User, Workdir: config.WorkingDir, Env: config.Env,
		Writes: slices.Sorted(maps.Keys(config.Volumes)),
		Look: func(path string) (File, bool) {
			e := img.At(path)
			if e == nil {
				return File{}, false
			}
			f := File{Mode: fs.FileMode(e.Mode) & fs.ModePerm, UID: e.UID, GID: e.GID}
			switch e.Type {
			case tar.TypeReg:
			case tar.TypeDir:
				f.Mode |= fs.ModeDir
			default:
				f.Mode |= fs.ModeIrregular
			}
			return f, true
		},
	}
	for port := range config.ExposedPorts {
		number, protocol, _ := strings.Cut(port, "/")
		if n, err := strconv.Atoi(number); err == nil && (protocol == "" || protocol == "tcp") {
			out.Ports = append(out.Ports, n)
		}
	}
	slices.Sort(out.Ports)
	if e := img.Entrypoint; e != nil && e.Facts != nil && e.Facts.Go != nil {
		out.Go, out.Debug = e.Facts.Go.GoVersion, e.Facts.Setting("DefaultGODEBUG")
	}
	return out
}
