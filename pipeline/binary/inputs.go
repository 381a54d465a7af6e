package binary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/service"
)

// inputs are all that goes into a binary, by content: what Go compiles of the repository
// and of the standard library, what it embeds, the files that choose the modules, and the
// settings. Modules in the module cache are known by go.sum, as they are to Go.
type inputs struct {
	// Settings stand for the toolchain, the target and the flags.
	Settings string `json:"settings"`
	// Folders hold the hash of what Go reads directly in each, Trees of all that is
	// below, and Files of a single one, empty where there is to be none.
	Folders map[string]string `json:"folders"`
	Trees   map[string]string `json:"trees"`
	Files   map[string]string `json:"files"`
	// Embed are the folders of which the names of all files count.
	Embed []string `json:"embed"`
}

// grace is how long before a build a file must have rested to be remembered as what was
// compiled: a clock of a file system is as coarse as this.
const grace = 100 * time.Millisecond

// settings stand for all that decides bytes beside files.
func settings(svc *service.Service, p v1.Platform, t *Toolchain, opts Options) (string, error) {
	tools, err := t.Sum()
	if err != nil {
		return "", err
	}
	opts.Parallel = 0
	args, err := arguments(svc, "", opts)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%q %q %q %q %q %q", t.Version, t.Root, tools, target(svc, p), args, svc.Dir)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text))), nil
}

// Remember notes what went into the binary, so that a build of the same is no build. The
// imports are what [Deps] says. What has changed since the build began is not what was
// compiled: then nothing is noted, and the next build compiles.
func (b *Binary) Remember(ctx context.Context, svc *service.Service, t *Toolchain, opts Options, imports *Imports) error {
	if b.Inputs != "" || b.began.IsZero() {
		return nil
	}
	c, err := opts.cacheDir(svc, b.Platform, t)
	if err != nil {
		return err
	}
	in := &inputs{Folders: make(map[string]string), Trees: make(map[string]string), Files: make(map[string]string)}
	if in.Settings, err = settings(svc, b.Platform, t, opts); err != nil {
		return nil // a toolchain whose programs lie elsewhere
	}
	in.gather(svc, t, imports)
	rested, err := in.fill(t.Root, b.began.Add(-grace))
	if err != nil || !rested {
		return err
	}
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, c.path("lock"))
	if err != nil {
		return fmt.Errorf("locking the build cache of %s: %w", svc.Name, err)
	}
	defer unlock()
	if sum, _, err := digest(c.out()); err != nil || sum != b.Digest {
		return nil // another build has been here
	}
	if err := replace(c.inputs(), text); err != nil {
		return fmt.Errorf("noting what was built: %w", err)
	}
	b.Inputs = fmt.Sprintf("%x", sha256.Sum256(text))
	return nil
}

// gather lists what goes into a binary.
func (in *inputs) gather(svc *service.Service, t *Toolchain, imports *Imports) {
	roots := []string{svc.Module}
	if svc.Workfile != "" {
		roots = append(roots, filepath.Dir(svc.Workfile))
		in.Files[svc.Workfile], in.Files[svc.Workfile+".sum"] = "", ""
	}
	for _, p := range imports.Packages() {
		if p.Dir == "" || inside(t.ModCache, p.Dir) {
			continue
		}
		in.Folders[p.Dir] = ""
		if p.Standard || p.Module == nil {
			continue
		}
		if p.Module.Dir != "" { // that of a vendored module is nowhere
			roots = append(roots, p.Module.Dir)
			// A go.mod between a module and its package would take the package away.
			for dir := filepath.Dir(p.Dir); inside(p.Module.Dir, dir) && dir != p.Module.Dir; dir = filepath.Dir(dir) {
				in.Files[filepath.Join(dir, "go.mod")] = ""
			}
		}
		for _, name := range p.EmbedFiles {
			first, _, below := strings.Cut(filepath.ToSlash(name), "/")
			if below {
				in.Trees[filepath.Join(p.Dir, first)] = ""
			} else {
				in.Files[filepath.Join(p.Dir, name)] = ""
			}
		}
		if len(p.EmbedFiles) > 0 && !slices.Contains(in.Embed, p.Dir) {
			in.Embed = append(in.Embed, p.Dir)
		}
	}
	for _, dir := range roots {
		for _, name := range []string{"go.mod", "go.sum", "vendor/modules.txt"} {
			in.Files[filepath.Join(dir, filepath.FromSlash(name))] = ""
		}
	}
}

// standard are the hashes of folders in a GOROOT, which do not change while a command
// runs, and which all services have in common.
var standard sync.Map

// fill hashes all that was gathered, and tells whether none of it has changed since.
func (in *inputs) fill(goroot string, since time.Time) (rested bool, err error) {
	r := reader{since: since}
	for dir := range in.Folders {
		if known, ok := standard.Load(dir); ok {
			in.Folders[dir] = known.(string)
			continue
		}
		if in.Folders[dir], err = r.folder(dir, slices.Contains(in.Embed, dir)); err != nil {
			return false, err
		}
		if inside(goroot, dir) {
			standard.Store(dir, in.Folders[dir])
		}
	}
	for dir := range in.Trees {
		if in.Trees[dir], err = r.tree(dir); err != nil {
			return false, err
		}
	}
	for name := range in.Files {
		if in.Files[name], err = r.file(name); err != nil {
			return false, err
		}
	}
	return !r.late, nil
}

// unchanged returns the name of the inputs of the last build, if a build with these
// settings would read the same: empty if not, or if that cannot be told.
func (c cacheDir) unchanged(goroot, settings string) string {
	text, err := os.ReadFile(c.inputs())
	if err != nil {
		return ""
	}
	var was inputs
	if json.Unmarshal(text, &was) != nil || was.Settings != settings || len(was.Folders) == 0 {
		return ""
	}
	is := inputs{Settings: was.Settings, Folders: maps.Clone(was.Folders), Trees: maps.Clone(was.Trees), Files: maps.Clone(was.Files), Embed: was.Embed}
	if _, err := is.fill(goroot, time.Time{}); err != nil {
		return ""
	}
	if !maps.Equal(was.Folders, is.Folders) || !maps.Equal(was.Trees, is.Trees) || !maps.Equal(was.Files, is.Files) {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// A reader hashes files, and notes whether one of them is younger than a time.
type reader struct {
	since time.Time
	late  bool
}

// folder hashes what Go may read directly in a folder: sources, profiles, and a go.mod
// that would make another module of it. With names those of all files count.
func (r *reader) folder(dir string, names bool) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, e := range entries {
		name := e.Name()
		switch ext := path.Ext(name); {
		case strings.HasSuffix(name, "_test.go"):
			continue
		case ext == ".go" || ext == ".s" || ext == ".h" || ext == ".syso" || ext == ".pgo" || name == "go.mod":
			of, err := r.file(filepath.Join(dir, name))
			if err != nil {
				return "", err
			}
			fmt.Fprintf(sum, "%q %s\n", name, of)
		case names:
			fmt.Fprintf(sum, "%q\n", name)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// tree hashes all that is below a folder.
func (r *reader) tree(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		of := ""
		if !d.IsDir() {
			if of, err = r.file(name); err != nil {
				return err
			}
		}
		fmt.Fprintf(sum, "%q %v %s\n", name, d.IsDir(), of)
		return nil
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// file hashes a file, or what a link leads to; empty if there is none.
func (r *reader) file(name string) (string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return info.Mode().Type().String(), nil
	}
	if !r.since.IsZero() && changed(info).After(r.since) {
		r.late = true
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// replace writes a file beside and moves it into place.
func replace(name string, text []byte) error {
	tmp := name + ".new"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
