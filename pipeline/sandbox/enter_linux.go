package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inside is the name that a command is started under when it is to become the
// first process of a sandbox.
const inside = "temper-sandbox"

// What the first process inherits beside its output.
const (
	specFile  = 3 // the spec, as JSON
	errorFile = 4 // takes what went wrong; closed without a word by the service's start
)

// Enter makes a process that [Root.Start] started into the service: it does not
// return then. In any other process it does nothing.
func Enter() {
	if os.Args[0] != inside {
		return
	}
	// Capabilities and new privileges are a matter of the thread that executes.
	runtime.LockOSThread()
	err := enter()
	fmt.Fprint(os.NewFile(errorFile, "errors"), err)
	var image *StartError
	if errors.As(err, &image) {
		os.Exit(imageFault)
	}
	os.Exit(1)
}

// imageFault is the exit code that says whose fault it is.
const imageFault = 2

func enter() error {
	unix.CloseOnExec(specFile)
	unix.CloseOnExec(errorFile)
	var s spec
	if err := json.NewDecoder(os.NewFile(specFile, "spec")).Decode(&s); err != nil {
		return fmt.Errorf("reading what to start: %w", err)
	}
	for _, step := range []struct {
		doing string
		do    func(*spec) error
	}{
		{"mounting its root", mountRoot},
		{"naming it", func(*spec) error { return unix.Sethostname([]byte(hostname)) }},
		{"making its network", network},
		{"closing its root", closeRoot},
		{"taking its privileges", unprivileged},
	} {
		if err := step.do(&s); err != nil {
			return fmt.Errorf("%s: %w", step.doing, err)
		}
	}
	unix.Umask(0o022)
	return &StartError{execute(&s).Error()}
}

// execute becomes the service, or says why not.
func execute(s *spec) error {
	if err := os.Chdir(s.Dir); err != nil {
		return fmt.Errorf("the working directory of the image: %w", err)
	}
	file, err := find(s.Args[0], s.Env)
	if err != nil {
		return err
	}
	err = syscall.Exec(file, s.Args, s.Env)
	// A process that this one's parent was starting when it unpacked the file
	// holds it open for writing until it is another program.
	// https://go.dev/issue/22315
	for range 500 {
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
		time.Sleep(10 * time.Millisecond)
		err = syscall.Exec(file, s.Args, s.Env)
	}
	return fmt.Errorf("executing %s: %w", file, err)
}

// mountRoot makes the folder the root, with /proc, /dev and /tmp of its own.
func mountRoot(s *spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount(s.Root, s.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	for _, m := range []struct {
		kind, at, data string
		flags          uintptr
	}{
		{"proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"tmpfs", "tmp", "mode=1777,size=64m", unix.MS_NOSUID | unix.MS_NODEV},
		{"tmpfs", "dev", "mode=755,size=64k", unix.MS_NOSUID | unix.MS_NOEXEC},
	} {
		if err := unix.Mount(m.kind, filepath.Join(s.Root, m.at), m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("/%s: %w", m.at, err)
		}
	}
	dev := filepath.Join(s.Root, "dev")
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		at := filepath.Join(dev, name)
		if err := os.WriteFile(at, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("/dev/%s: %w", name, err)
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	if err := os.Chdir(s.Root); err != nil {
		return err
	}
	// The old root goes on top of the new one, and away from there.
	// https://man7.org/linux/man-pages/man2/pivot_root.2.html
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Chdir("/")
}

// network brings up the loopback, with the address that stands for a pod's, and
// lets every port be listened on, as container runtimes do.
func network(*spec) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	pod, err := unix.NewIfreq("lo:0")
	if err != nil {
		return err
	}
	if err := pod.SetInet4Addr([]byte{192, 0, 2, 1}); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, pod); err != nil {
		return fmt.Errorf("address %s: %w", Address, err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
}

// closeRoot lets nothing but /tmp be written.
func closeRoot(s *spec) error {
	again := []string{"/dev"}
	if !s.Writable {
		again = append(again, "/")
	}
	for _, at := range again {
		var st unix.Statfs_t
		if err := unix.Statfs(at, &st); err != nil {
			return err
		}
		// What the mount forbids already must be said again.
		keep := uintptr(st.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
		if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|keep, ""); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

// unprivileged becomes the image's user, without a capability or a way to one.
func unprivileged(s *spec) error {
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(last)))
	if err != nil {
		return err
	}
	for c := 0; c <= n; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			return fmt.Errorf("capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	if !s.Alone {
		if err := syscall.Setgroups(nil); err != nil {
			return fmt.Errorf("groups: %w", err)
		}
	}
	if err := errors.Join(syscall.Setresgid(s.GID, s.GID, s.GID), syscall.Setresuid(s.UID, s.UID, s.UID)); err != nil {
		return err
	}
	none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capset(&none, &sets[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	// To change the user has taken this away.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// find looks for the program where the image's PATH says.
func find(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(searchPath(env)) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("the image has no program %q in its PATH, %s", name, searchPath(env))
}
