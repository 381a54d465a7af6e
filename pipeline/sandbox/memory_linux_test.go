package sandbox

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Where a group may be made, by what the kernel says of this process.
func TestParents(t *testing.T) {
	const v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	const v1 = "28 22 0:24 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n29 22 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	for name, c := range map[string]struct {
		mounts, own string
		want        []string
	}{
		"version 2":              {v2, "0::/user.slice/session\n", []string{"/sys/fs/cgroup/user.slice/session", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"}},
		"version 2, at the root": {v2, "0::/\n", []string{"/sys/fs/cgroup"}},
		"version 1":              {v1, "3:memory:/a\n2:cpu:/b\n", []string{"/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory"}},
		"a container": {"30 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup ro\n", "0::/docker/1/x\n",
			[]string{"/sys/fs/cgroup/x", "/sys/fs/cgroup"}},
		"none": {"1 1 0:1 / / rw - ext4 /dev/sda rw\n", "", nil},
	} {
		var got []string
		for _, p := range parents(c.mounts, c.own) {
			got = append(got, p.dir)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is written into a group of version 2, which is not on every machine.
func TestRestrict(t *testing.T) {
	g := &group{t.TempDir(), second}
	if err := g.restrict(64 << 20); err == nil {
		t.Error("a folder without a controller was given a limit")
	}
	for _, name := range []string{"memory.max", "memory.swap.max", "cgroup.procs"} {
		if err := os.WriteFile(filepath.Join(g.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.restrict(64 << 20); err != nil {
		t.Fatal(err)
	}
	if err := g.add(42); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "cgroup.procs": "42"} {
		if got, err := os.ReadFile(filepath.Join(g.dir, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %s", name, got, err, want)
		}
	}
	for events, want := range map[string]bool{"low 0\noom 1\noom_kill 0\n": false, "low 0\noom 1\noom_kill 2\n": true, "": false} {
		if err := os.WriteFile(filepath.Join(g.dir, "memory.events"), []byte(events), 0o600); err != nil {
			t.Fatal(err)
		}
		if g.killed() != want {
			t.Errorf("after %q killed is %v", events, g.killed())
		}
	}
}
