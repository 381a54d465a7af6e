package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A group is a control group with a memory limit, or nothing where none can be
// made: then the memory is watched, which is slower than a process can be.
type group struct {
	dir string
	files
}

// files are the names that a version of control groups has.
type files struct{ limit, swap, events string }

var (
	// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
	second = files{"memory.max", "memory.swap.max", "memory.events"}
	// https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
	first = files{"memory.limit_in_bytes", "", "memory.oom_control"}
)

// newGroup makes a group beside or below the one that this process is in.
func newGroup(limit int64) (*group, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without them
		return nil, err
	}
	for _, p := range parents(string(mounts), string(own)) {
		dir, err := os.MkdirTemp(p.dir, "temper-*")
		if err != nil {
			continue
		}
		g := &group{dir, p.files}
		if err := g.restrict(limit); err != nil {
			g.close()
			continue
		}
		return g, nil
	}
	return new(group), nil
}

// parents are the folders to try, the closest first: the process's own group
// and those above it, in either version.
func parents(mounts, own string) []group {
	paths := make(map[string]string) // of the group, by controller
	for line := range strings.Lines(own) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 {
			for c := range strings.SplitSeq(fields[1], ",") {
				paths[c] = fields[2]
			}
		}
	}
	var list []group
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		root, at, f, path := fields[3], fields[4], second, paths[""]
		switch {
		case kind[0] == "cgroup2":
		case kind[0] == "cgroup" && hasOption(kind[2], "memory"):
			f, path = first, paths["memory"]
		default:
			continue
		}
		// A container may see a part of the tree only, as its root.
		rel, err := filepath.Rel(root, path)
		if err != nil || strings.HasPrefix(rel, "..") {
			rel = "."
		}
		for ; ; rel = filepath.Dir(rel) {
			list = append(list, group{filepath.Join(at, rel), f})
			if rel == "." {
				break
			}
		}
	}
	return list
}

func hasOption(options, want string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == want {
			return true
		}
	}
	return false
}

// restrict sets the limit. The folder has no such file where the controller is
// not for it.
func (g *group) restrict(limit int64) error {
	if err := g.set(g.limit, strconv.FormatInt(limit, 10)); err != nil {
		return err
	}
	if g.swap == "" {
		return nil
	}
	err := g.set(g.swap, "0")
	if errors.Is(err, fs.ErrNotExist) { // no swap, nothing to say
		return nil
	}
	return err
}

func (g *group) set(name, value string) error {
	// Not created: what is not there is not a limit.
	f, err := os.OpenFile(filepath.Join(g.dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func (g *group) enforced() bool { return g.dir != "" }

func (g *group) add(pid int) error {
	if !g.enforced() {
		return nil
	}
	if err := g.set("cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("setting its memory limit: %w", err)
	}
	return nil
}

// killed tells whether the kernel ended a process of the group for its memory.
func (g *group) killed() bool {
	if !g.enforced() {
		return false
	}
	raw, err := os.ReadFile(filepath.Join(g.dir, g.events))
	return err == nil && kills(string(raw)) > 0
}

// kills is the number in the line "oom_kill N".
func kills(events string) int {
	for line := range strings.Lines(events) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			count, err := strconv.Atoi(strings.TrimSpace(n))
			if err == nil {
				return count
			}
		}
	}
	return 0
}

func (g *group) close() {
	if !g.enforced() {
		return
	}
	// The kernel takes a moment to forget the processes.
	for range 100 {
		if err := os.Remove(g.dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// watch ends a process that takes more than the limit, as the kernel does where
// there is a group, and tells whether it has. It looks often, and may miss what a
// process holds for a moment.
func watch(status string, limit int64, ended <-chan struct{}, kill func()) bool {
	over := false
	for {
		if n, err := resident(status); err == nil && n > limit && !over {
			over = true
			kill()
		}
		select {
		case <-ended:
			return over
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// resident is the memory that a process holds, in bytes, without pages of files,
// which the kernel can have back.
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func resident(status string) (int64, error) {
	f, err := os.Open(status)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var sum int64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if name != "RssAnon" && name != "RssShmem" {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", status, err)
		}
		sum += kb << 10
	}
	return sum, lines.Err()
}
