package sources

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Mended is what [Mend] did.
type Mended struct {
	// Files are those that it changed, sorted.
	Files []string
	// Done are the diagnostics whose fixes are in them, and Skipped those whose fixes
	// change what others have changed: look again, and mend again.
	Done, Skipped []Diagnostic
}

// Mend applies the fixes of diagnostics to the files of a repository, but for those of
// what the source accepts. A file that gofmt had left alone is as gofmt would have it, and
// one whose lines end with CR LF keeps to that. Generated files have no fixes.
//
// All files are changed or none: one that is not what was looked at is an error, and so
// is one that would not parse. Links are not followed.
func Mend(root string, found []Diagnostic) (*Mended, error) {
	out, edits := choose(found)
	if len(edits) == 0 {
		return out, nil
	}
	in, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out.Files = slices.Sorted(maps.Keys(edits))
	var all []*rewrite
	for _, file := range out.Files {
		w, err := prepare(in, file, edits[file])
		if err != nil {
			return nil, fmt.Errorf("mending %s: %w", file, err)
		}
		all = append(all, w)
	}
	if err := write(in, all); err != nil {
		return nil, err
	}
	return out, nil
}

// choose takes the fixes in the order of the diagnostics, each whole or not at all, and
// returns the edits of each file.
func choose(found []Diagnostic) (*Mended, map[string][]Fix) {
	out, edits := new(Mended), make(map[string][]Fix)
	for _, d := range found {
		if len(d.Fixes) == 0 || d.Ignored != nil || d.Category != "" {
			continue
		}
		clashes := func(f Fix) bool { return slices.ContainsFunc(edits[f.File], f.clashes) }
		if slices.ContainsFunc(d.Fixes, clashes) {
			out.Skipped = append(out.Skipped, d)
			continue
		}
		for _, f := range d.Fixes {
			if !slices.Contains(edits[f.File], f) { // two fixes may want one import
				edits[f.File] = append(edits[f.File], f)
			}
		}
		out.Done = append(out.Done, d)
	}
	return out, edits
}

// clashes tells whether two fixes change the same bytes and are not the same. What is
// inserted at one place goes well together, in the order of the fixes.
func (f Fix) clashes(g Fix) bool {
	return f != g && f.Start < g.End && g.Start < f.End
}

// A rewrite is a file that is about to be changed.
type rewrite struct {
	file, tmp string
	sum       string // of what it held when it was looked at
	mode      fs.FileMode
	content   []byte
}

// prepare works out what a file will hold.
func prepare(in *os.Root, file string, edits []Fix) (*rewrite, error) {
	w := &rewrite{file: filepath.FromSlash(file), sum: edits[0].Sum}
	info, err := in.Lstat(w.file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file; mend what it leads to")
	}
	w.mode = info.Mode().Perm()
	was, err := w.read(in)
	if err != nil {
		return nil, err
	}
	sort.SliceStable(edits, func(i, j int) bool {
		return cmp.Or(edits[i].Start-edits[j].Start, edits[i].End-edits[j].End) < 0
	})
	var b bytes.Buffer
	at, newline := 0, "\n"
	if n := bytes.Count(was, []byte("\n")); n > 0 && n == bytes.Count(was, []byte("\r\n")) {
		newline = "\r\n"
	}
	for _, e := range edits {
		if e.Start < at || e.End < e.Start || e.End > len(was) {
			return nil, fmt.Errorf("a fix of bytes %d to %d does not fit into its %d bytes", e.Start, e.End, len(was))
		}
		b.Write(was[at:e.Start])
		b.WriteString(strings.ReplaceAll(e.New, "\n", newline))
		at = e.End
	}
	b.Write(was[at:])
	w.content = b.Bytes()
	formatted, err := format.Source(w.content)
	if err != nil {
		return nil, fmt.Errorf("its fixes do not go together: %w", err)
	}
	// Who does not use gofmt would not find the fix in all that it changes.
	if same, err := format.Source(was); err == nil && bytes.Equal(same, was) {
		w.content = formatted
	}
	return w, nil
}

// read returns what the file holds, which is what was looked at.
func (w *rewrite) read(in *os.Root) ([]byte, error) {
	content, err := in.ReadFile(w.file)
	if err != nil {
		return nil, err
	}
	if sumOf(content) != w.sum {
		return nil, errors.New("it has changed since it was looked at; look again")
	}
	return content, nil
}

// write puts all beside the files, and then in their place.
func write(in *os.Root, all []*rewrite) (err error) {
	defer func() {
		for _, w := range all {
			if w.tmp != "" {
				err = errors.Join(err, in.Remove(w.tmp))
			}
		}
	}()
	for _, w := range all {
		if err := w.beside(in); err != nil {
			return fmt.Errorf("mending %s: %w", w.file, err)
		}
	}
	for _, w := range all {
		if _, err := w.read(in); err != nil {
			return fmt.Errorf("mending %s: %w", w.file, err)
		}
	}
	for _, w := range all {
		if err := in.Rename(w.tmp, w.file); err != nil {
			return fmt.Errorf("mending %s: %w", w.file, err)
		}
		w.tmp = ""
	}
	return nil
}

// beside writes the content to a file of its own, which Go passes over by its name.
func (w *rewrite) beside(in *os.Root) error {
	dir, name := filepath.Split(w.file)
	tmp := dir + "." + name + ".mended"
	f, err := in.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, w.mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is left of another run; remove it", tmp)
	} else if err != nil {
		return err
	}
	w.tmp = tmp
	_, err = f.Write(w.content)
	return errors.Join(err, f.Chmod(w.mode), f.Sync(), f.Close()) // the mode is not the umask's
}

// sumOf names the content of a file.
func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
