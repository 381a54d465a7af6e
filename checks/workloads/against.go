package workloads

import (
	"context"
	"fmt"
	"io/fs"
	slashpath "path"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"temper/checks"
)

// An Image is what has to be known of an image to hold a manifest against it.
type Image struct {
	// Name is what people call it.
	Name string
	// Entrypoint, Command, User, Workdir and Env are those of its configuration.
	Entrypoint, Command []string
	User, Workdir       string
	Env                 []string
	// Ports are the TCP ports that it declares; none where it declares nothing,
	// and then nothing is said of ports.
	Ports []int
	// Writes are the paths that the service writes to, as far as they are known:
	// the volumes of its configuration, and what was seen while it ran.
	Writes []string
	// Creates are what its code writes to by constant absolute paths; none where that
	// is not known.
	Creates []Creation
	// Go is the release that compiled the entrypoint, such as "go1.26.8", and
	// Debug the GODEBUG settings that its go.mod comes to; empty where the
	// entrypoint is no Go program.
	Go, Debug string
	// Hosts are the names that the service answers to, none where it answers to
	// any, and Exempt the paths that it serves under every name.
	Hosts, Exempt []string
	// Guarded tells that it refuses names that are not its own, also where it is not
	// known which those are.
	Guarded bool
	// Look returns what is at an absolute path in the image, after all links.
	Look func(path string) (File, bool)
}

// A Creation is a file that a service writes, or a folder that it makes, by a path that
// stands in its code.
type Creation struct {
	Path   string
	Folder bool
	// At is where in the code, for people.
	At string
}

// A File is what is at a path of an image.
type File struct {
	Mode     fs.FileMode
	UID, GID int
}

// A Deployed is an object and the images that its containers run.
type Deployed struct {
	*Object
	// Image returns what is known of an image by the name that a container has it
	// by, nil where it is another.
	Image func(reference string) *Image
}

// CheckAgainst runs the rules about manifests and the images that they run on
// every object, and returns a report about each, in their order. Containers that
// run other images are left alone. Of objects that [Set.Judge] let go of nobody knows
// what they run, which is an error.
func (s *Set) CheckAgainst(ctx context.Context, image func(reference string) *Image) ([]*checks.Report, error) {
	var reports []*checks.Report
	for _, o := range s.Objects {
		if o.judged != nil {
			return nil, fmt.Errorf("holding %s against its image: it was let go of", o)
		}
		r, err := checks.Run(ctx, checks.Subject{Name: o.String(), Digest: o.digest()}, "", &Deployed{o, image}, ImageRules)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// ImageRules are the rules about an object and the images that it runs.
var ImageRules = []*checks.Check[*Deployed]{runCommand, runFiles, runGo, runHost, runMemory, runMounts, runPorts, runUser, runWrites}

// A run is a container, and the image that it runs.
type run struct {
	*pod
	container
	image *Image
}

// eachRun is a rule's function that looks at every container whose image is known.
func eachRun(look func(r run, out *pass)) func(*Deployed, *checks.Pass) error {
	return func(d *Deployed, p *checks.Pass) error {
		all := whole(d.Object, p)
		for _, one := range d.pods {
			for _, c := range one.containers() {
				if img := d.Image(c.Image); img != nil {
					look(run{one, c, img}, all.below(one.at))
				}
			}
		}
		return nil
	}
}

// program is what the container starts, with the field that says so: none of it
// where the image has the say, and no name where nobody says anything.
func (r run) program() (name string, at path) {
	switch {
	case len(r.Command) > 0:
		return r.Command[0], r.container.at.join("command")
	case len(r.image.Entrypoint) > 0:
		return r.image.Entrypoint[0], nil
	case len(r.Args) > 0:
		return r.Args[0], r.container.at.join("args")
	case len(r.image.Command) > 0:
		return r.image.Command[0], nil
	}
	return "", nil
}

// find returns where a program is in the image, and what is there.
func (r run) find(name string) (string, File, bool) {
	if strings.Contains(name, "/") {
		if !slashpath.IsAbs(name) {
			dir := r.WorkingDir
			if dir == "" {
				dir = r.image.Workdir
			}
			name = slashpath.Join("/", dir, name)
		}
		name = slashpath.Clean(name)
		f, ok := r.image.Look(name)
		return name, f, ok
	}
	dirs := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, e := range r.image.Env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			dirs = value
		}
	}
	if s := r.setting(r.container, "PATH"); s != nil && s.known {
		dirs = s.value
	}
	for dir := range strings.SplitSeq(dirs, ":") {
		at := slashpath.Join("/", dir, name)
		if f, ok := r.image.Look(at); ok {
			return at, f, true
		}
	}
	return name, File{}, false
}

// mount returns the index of the mount that a path is below, or -1.
func (r run) mount(of string) int {
	best, most := -1, -1
	for i, m := range r.VolumeMounts {
		at := slashpath.Clean("/" + m.MountPath)
		if under(of, at) && len(at) > most {
			best, most = i, len(at)
		}
	}
	return best
}

// user is what the container runs as, -1 where that is not known.
func (r run) user() (uid, gid int64) {
	uid, gid = -1, -1
	name, group, _ := strings.Cut(r.image.User, ":")
	if n, err := strconv.ParseInt(name, 10, 64); err == nil {
		uid = n
	}
	if n, err := strconv.ParseInt(group, 10, 64); err == nil {
		gid = n
	}
	if sc := r.spec.SecurityContext; sc != nil {
		uid, gid = or(sc.RunAsUser, uid), or(sc.RunAsGroup, gid)
	}
	if sc := r.SecurityContext; sc != nil {
		uid, gid = or(sc.RunAsUser, uid), or(sc.RunAsGroup, gid)
	}
	return uid, gid
}

func or(n *int64, instead int64) int64 {
	if n == nil {
		return instead
	}
	return *n
}

// groups are those that the process is in beside its own.
func (r run) groups() []int64 {
	var all []int64
	if sc := r.spec.SecurityContext; sc != nil {
		all = append(all, sc.SupplementalGroups...)
		if sc.FSGroup != nil {
			all = append(all, *sc.FSGroup)
		}
	}
	return all
}

// readOnly tells that the container may not write to its root.
func (r run) readOnly() bool {
	sc := r.SecurityContext
	return sc != nil && sc.ReadOnlyRootFilesystem != nil && *sc.ReadOnlyRootFilesystem
}

// volume returns the pod's volume of a name.
func (r run) volume(name string) *corev1.Volume {
	for i := range r.spec.Volumes {
		if r.spec.Volumes[i].Name == name {
			return &r.spec.Volumes[i]
		}
	}
	return nil
}
