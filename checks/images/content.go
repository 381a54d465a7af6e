package images

import (
	"strings"
	"sync"

	"temper/checks/executables"
)

// A tool is a program that is known by its content, whatever its file is
// called: a program of C by strings that stand in its data all at once, a
// program of Go by its main package.
type tool struct {
	name string
	kind kind
	// all are the strings. They hold for the programs as Debian 12 and 13 build
	// them, for apk 3 and su-exec as their sources do; none of them depends on a
	// version. Where two rows have one name, the programs are two.
	all []string
	// goMain is the path of the main package, without the major version of
	// its module; it stands for what is below it as well.
	goMain string
}

// A kind is one of the rules about tools, in the words of its findings.
type kind string

const (
	aShell          kind = "a shell"
	aPackageManager kind = "a package manager"
	aDebugTool      kind = "a debug, network or user-switching tool"
)

var tools = []*tool{
	{name: "busybox", kind: aShell, all: []string{"BusyBox is a multi-call binary", "applet not found"}},
	{name: "toybox", kind: aShell, all: []string{"landley.net/toybox", "toybox --help"}},
	{name: "bash", kind: aShell, all: []string{"GNU bash, version %s", "BASH_VERSINFO"}},
	{name: "dash", kind: aShell, all: []string{`arithmetic expression: %s: "%s"`, " is a %sshell builtin", "Bad fd number"}},
	{name: "zsh", kind: aShell, all: []string{"ZSH_EVAL_CONTEXT", "ZSH_SUBSHELL"}},
	{name: "mksh", kind: aShell, all: []string{"@(#)MIRBSD KSH", "KSH_MATCH"}},
	{name: "lksh", kind: aShell, all: []string{"@(#)LEGACY KSH", "KSH_MATCH"}},
	{name: "ksh", kind: aShell, all: []string{"Version AJM 93", "KSH_VERSION"}},
	{name: "fish", kind: aShell, all: []string{"__fish_print_help", "fish_default_key_bindings"}},
	{name: "tcsh", kind: aShell, all: []string{"tcsh %d.%.2d.%.2d", "tcsh(1) manual page"}},
	{name: "csh", kind: aShell, all: []string{`Use "exit" to leave csh.`, "/etc/csh.cshrc"}},
	{name: "posh", kind: aShell, all: []string{"POSH_VERSION", "posh_builtin_getopts: no argv"}},
	{name: "sash", kind: aShell, all: []string{"Execute another program in place of this sash process", "Exit from sash"}},
	{name: "yash", kind: aShell, all: []string{"Try `man yash' for details.", "too many files are opened for yash to handle"}},
	{name: "rc", kind: aShell, all: []string{"rc: not enough arguments to flag", "/.rcrc"}},
	{name: "elvish", kind: aShell, goMain: "src.elv.sh/cmd/elvish"},
	{name: "gosh", kind: aShell, goMain: "mvdan.cc/sh/cmd/gosh"},
	{name: "u-root", kind: aShell, goMain: "github.com/u-root/u-root"},
	{name: "u-root", kind: aShell, goMain: "bb.u-root.com/bb"}, // all of its commands in one

	{name: "apk", kind: aPackageManager, all: []string{"apk-tools ", ", compiled for "}},
	{name: "apt", kind: aPackageManager, all: []string{"libapt-private.so.", "ParseCommandLine", "APT_CMD"}},
	{name: "dpkg", kind: aPackageManager, all: []string{"package management program version %s.", "/var/lib/dpkg"}},
	{name: "dpkg-deb", kind: aPackageManager, all: []string{"package archive backend version %s.", "lib/dpkg/"}},
	{name: "rpm", kind: aPackageManager, all: []string{"RPM version %s", "librpmio.so"}},
	{name: "pacman", kind: aPackageManager, all: []string{"Pacman v%s - libalpm v%s", "/etc/pacman.conf"}},
	{name: "zypper", kind: aPackageManager, all: []string{"/etc/zypp/zypper.conf", ".zypper_history"}},
	{name: "aptitude", kind: aPackageManager, all: []string{"aptitude::CmdLine::Assume-Yes", "aptitude::CmdLine::Show-Deps"}},
	{name: "dnf5", kind: aPackageManager, all: []string{"Show DNF5 version and exit", "libdnf5-cli.so"}},
	{name: "flatpak", kind: aPackageManager, all: []string{"'%s' is not a flatpak command", "/var/lib/flatpak"}},
	{name: "nix", kind: aPackageManager, all: []string{"nix-collect-garbage", "/.nix-channels"}},
	{name: "cargo", kind: aPackageManager, all: []string{"Use `cargo build` if you want to simply build the package.", "cargo::ops::resolve"}},
	{name: "snap", kind: aPackageManager, goMain: "github.com/snapcore/snapd/cmd/snap"},
	{name: "go", kind: aPackageManager, goMain: "cmd/go"},

	{name: "curl", kind: aDebugTool, all: []string{"Usage: curl [options...] <url>", "curl: try 'curl --help'"}},
	{name: "wget", kind: aDebugTool, all: []string{"GNU Wget %s, a non-interactive network retriever.", "DEBUG output created by Wget %s on %s."}},
	{name: "wget2", kind: aDebugTool, all: []string{"%s/.wget2rc", "multithreaded metalink/file/website downloader"}},
	{name: "axel", kind: aDebugTool, all: []string{"Usage: axel [options] url1 [url2] [url...]", "%s/.axelrc"}},
	{name: "lftp", kind: aDebugTool, all: []string{"lftp_readline", "lftp_ssl"}},
	{name: "ftp", kind: aDebugTool, all: []string{"Remote file transfer.", "can't find list of remote files, oops"}},
	{name: "atftp", kind: aDebugTool, all: []string{"atftp: unable to open socket", ".atftp_history"}},
	{name: "strace", kind: aDebugTool, all: []string{"ptrace(PTRACE_INTERRUPT,%u)", "strace -E REMOVE_VAR"}},
	{name: "ltrace", kind: aDebugTool, all: []string{"ltrace-elf.c", "ltrace about to exit"}},
	{name: "gdb", kind: aDebugTool, all: []string{"GNU gdb %s%s", "--with-system-gdbinit"}},
	{name: "gdbserver", kind: aDebugTool, all: []string{"gdbserver [OPTIONS] --attach COMM PID", "gdbserver [OPTIONS] --multi COMM"}},
	{name: "lldb", kind: aDebugTool, all: []string{"_ZN4lldb10SBDebugger6CreateEb", "_ZN4lldb10SBDebugger7DestroyERS0_"}},
	{name: "rr", kind: aDebugTool, all: []string{"rr: cannot run rr recording under rr. Exiting.", "_ZN2rr11print_usageEP8_IO_FILE"}},
	{name: "valgrind", kind: aDebugTool, all: []string{"VALGRIND_LAUNCHER", "valgrind: failed to start tool '%s' for platform '%s': %s"}},
	{name: "bpftrace", kind: aDebugTool, all: []string{"bpftrace -l '*sleep*'", "BPFTRACE_MAX_PROBES"}},
	{name: "sysdig", kind: aDebugTool, all: []string{"SYSDIG_BPF_PROBE", "Usage: sysdig [options]"}},
	{name: "uftrace", kind: aDebugTool, all: []string{"uftrace.data", "uftrace: running %s"}},
	{name: "objdump", kind: aDebugTool, all: []string{"Disassembly of section %s:", "--disassembler-options="}},
	{name: "lldb-server", kind: aDebugTool, all: []string{"Run lldb-server in a new session.", "exiting lldb-server..."}},
	{name: "perf", kind: aDebugTool, all: []string{"perf record -e %s:%s -aR sleep 1", "perf probe %s:%s"}},
	{name: "lsof", kind: aDebugTool, all: []string{"https://github.com/lsof-org/lsof", "Lsof.8"}},
	{name: "tcpdump", kind: aDebugTool, all: []string{"AbdDefhHIJKlLnNOpqStuUvxX#", "link-type %s (%s)"}},
	{name: "tshark", kind: aDebugTool, all: []string{"Usage: tshark -G [report]", "TShark"}},
	{name: "ngrep", kind: aDebugTool, all: []string{"ngrep: V%s, %s", "usage: ngrep <-"}},
	{name: "nc", kind: aDebugTool, all: []string{"usage: nc [-", "[-p source_port]"}},
	{name: "nc", kind: aDebugTool, all: []string{"as `-e'; use /bin/sh to exec [dangerous!!]", "listen mode, for inbound connects"}},
	{name: "ncat", kind: aDebugTool, all: []string{"Automatically generated by Ncat.", "Enable Ncat's connection brokering mode"}},
	{name: "socat", kind: aDebugTool, all: []string{"socat by Gerhard Rieger", "socat [options] <bi-address> <bi-address>"}},
	{name: "nmap", kind: aDebugTool, all: []string{"nmap -v -A scanme.nmap.org", "https://nmap.org/submit/"}},
	{name: "nping", kind: aDebugTool, all: []string{"nping --icmp --icmp-type", "Nping needs at least one valid target"}},
	{name: "hping3", kind: aDebugTool, all: []string{"HPING %s (%s %s): %s set", "hping in flood mode"}},
	{name: "iperf3", kind: aDebugTool, all: []string{"iperf_catch_sigend", "iperf_create_pidfile"}},
	{name: "ping", kind: aDebugTool, all: []string{"ping [options] <destination>", "iputils"}},
	{name: "ping", kind: aDebugTool, all: []string{"ping: Lacking privilege for icmp socket.", "Send ICMP ECHO_REQUEST packets to network hosts."}},
	{name: "fping", kind: aDebugTool, all: []string{"see 'fping -h' for usage information", "FPing Packets for host"}},
	{name: "arping", kind: aDebugTool, all: []string{"arping: receiving packets...", "arping: select() failed: %s"}},
	{name: "masscan", kind: aDebugTool, all: []string{"Masscan version %s ( %s )", "masscan --nmap"}},
	{name: "hydra", kind: aDebugTool, all: []string{"Syntax: hydra [[[-l LOGIN", "HYDRA_PROXY_HTTP"}},
	{name: "netsniff-ng", kind: aDebugTool, all: []string{"/etc/netsniff-ng/geoip.conf", "/etc/netsniff-ng/udp.conf"}},
	{name: "mtr", kind: aDebugTool, all: []string{"Unexpected mtr-packet error", "Failure to start mtr-packet"}},
	{name: "traceroute", kind: aDebugTool, all: []string{"traceroute to %s (%s), %u hops max", "Unknown traceroute module %s"}},
	{name: "traceroute", kind: aDebugTool, all: []string{"traceroute to %s (%s), %d hops max", "Print the route packets trace to network host."}},
	{name: "dig", kind: aDebugTool, all: []string{"; <<>> DiG %s <<>>", "%s/.digrc"}},
	{name: "nslookup", kind: aDebugTool, all: []string{"nslookup [-opt ...] host server", "nslookup.c"}},
	{name: "host", kind: aDebugTool, all: []string{"Usage: host [-aCdilrTvVw]", "Host %s not found: %d(%s)"}},
	{name: "kdig", kind: aDebugTool, all: []string{"kdig_exec", "kdig_parse"}},
	{name: "drill", kind: aDebugTool, all: []string{"Try drill @localhost if you have a resolver running on your machine.", "%s version %s (ldns version %s)"}},
	{name: "ip", kind: aDebugTool, all: []string{"Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }", "ip [ -force ] -batch filename"}},
	{name: "ifconfig", kind: aDebugTool, all: []string{"ifconfig: option `%s' not recognised.", "ifconfig: `--help' gives usage information."}},
	{name: "netstat", kind: aDebugTool, all: []string{"usage: netstat [-", "netstat: unsupported address family %d !"}},
	{name: "ethtool", kind: aDebugTool, all: []string{"ethtool [ FLAGS ]", "ethtool: bad command line argument(s)"}},
	{name: "ss", kind: aDebugTool, all: []string{"Usage: ss [ OPTIONS ]", "ss [ OPTIONS ] [ FILTER ]"}},
	{name: "telnet", kind: aDebugTool, all: []string{"character to escape back to telnet command mode", "%s/.telnetrc"}},
	{name: "rsync", kind: aDebugTool, all: []string{"rsync error: %s (code %d) at %s(%d)", "rsync.samba.org"}},
	{name: "ssh", kind: aDebugTool, all: []string{"OpenSSH_2*,OpenSSH_3*", "usage: ssh [-"}},
	{name: "scp", kind: aDebugTool, all: []string{"usage: scp [-", "[-F ssh_config]"}},
	{name: "sftp", kind: aDebugTool, all: []string{"exit                               Quit sftp", "[-R num_requests]"}},
	{name: "sshd", kind: aDebugTool, all: []string{"usage: sshd [-", "/etc/ssh/sshd_config"}},
	{name: "sshpass", kind: aDebugTool, all: []string{"SSHPASS: detected prompt. Sending password.", "SSHPASS: read: %s"}},
	{name: "dropbear", kind: aDebugTool, all: []string{"Dropbear v%s", "/etc/dropbear/dropbear_"}},
	{name: "dbclient", kind: aDebugTool, all: []string{"Dropbear SSH client v%s", "~/.ssh/id_dropbear"}},
	{name: "plink", kind: aDebugTool, all: []string{"Usage: plink [options] [user@]host [command]", "plink: unknown option"}},
	{name: "pscp", kind: aDebugTool, all: []string{"Usage: pscp [options] [user@]host:source target", "pscp: unable to open"}},
	{name: "openssl", kind: aDebugTool, all: []string{"No s_client output", "s_client"}},
	{name: "gnutls-cli", kind: aDebugTool, all: []string{"gnutls-cli - GnuTLS client", "Usage:  gnutls-cli "}},
	{name: "nsenter", kind: aDebugTool, all: []string{"Run a program with namespaces of other processes.", "nsenter(1)"}},
	{name: "unshare", kind: aDebugTool, all: []string{"Run a program with some namespaces unshared from the parent.", "unshare(1)"}},
	{name: "setpriv", kind: aDebugTool, all: []string{"Run a program with different privilege settings.", "setpriv(1)"}},
	{name: "su", kind: aDebugTool, all: []string{"FAILED SU ", "Change the effective user ID and group ID to that of <user>."}},
	{name: "sudo", kind: aDebugTool, all: []string{"Sudo version %s", "/etc/sudo.conf"}},
	{name: "sudo", kind: aDebugTool, all: []string{"usage: sudo -h | -K | -k | -V", "/etc/sudoers-rs"}}, // of Rust
	{name: "su", kind: aDebugTool, all: []string{"Usage: su [options] [-] [<user> [<argument>...]]", "sudo_rs::su"}},
	{name: "calife", kind: aDebugTool, all: []string{"BAD CALIFE %s to %s on %s", "Calife failed. Sorry, trying to run su."}},
	{name: "s6-setuidgid", kind: aDebugTool, all: []string{"s6-setuidgid username prog...", ": usage: "}},
	{name: "s6-applyuidgid", kind: aDebugTool, all: []string{"s6-applyuidgid [ -z ]", ": usage: "}},
	{name: "chpst", kind: aDebugTool, all: []string{"chpst: fatal: ", "chpst: warning: "}},
	{name: "bwrap", kind: aDebugTool, all: []string{"--unshare-all", "--unshare-user-try", "bwrap: "}},
	{name: "proot", kind: aDebugTool, all: []string{"proot [option] ... [command]", "PROOT_NO_SECCOMP"}},
	{name: "doas", kind: aDebugTool, all: []string{"/etc/doas.conf", "doas is not enabled, %s"}},
	{name: "su-exec", kind: aDebugTool, all: []string{"Usage: %s user-spec command [args]", "setgroups(%i)"}},
	{name: "gosu", kind: aDebugTool, goMain: "github.com/tianon/gosu"},
	{name: "dlv", kind: aDebugTool, goMain: "github.com/go-delve/delve"},
	{name: "dlv", kind: aDebugTool, goMain: "github.com/derekparker/delve"},
	{name: "gops", kind: aDebugTool, goMain: "github.com/google/gops"},
	{name: "pprof", kind: aDebugTool, goMain: "github.com/google/pprof"},
	{name: "pprof", kind: aDebugTool, goMain: "cmd/pprof"},
	{name: "trace", kind: aDebugTool, goMain: "cmd/trace"},
	{name: "objdump", kind: aDebugTool, goMain: "cmd/objdump"},
	{name: "termshark", kind: aDebugTool, goMain: "github.com/gcla/termshark"},
	{name: "chisel", kind: aDebugTool, goMain: "github.com/jpillora/chisel"},
	{name: "gost", kind: aDebugTool, goMain: "github.com/ginuerzh/gost"},
	{name: "gost", kind: aDebugTool, goMain: "github.com/go-gost/gost"},
	{name: "rclone", kind: aDebugTool, goMain: "github.com/rclone/rclone"},
	{name: "hey", kind: aDebugTool, goMain: "github.com/rakyll/hey"},
	{name: "vegeta", kind: aDebugTool, goMain: "github.com/tsenart/vegeta"},
	{name: "podman", kind: aDebugTool, goMain: "github.com/containers/podman/cmd/podman"},
	{name: "buildah", kind: aDebugTool, goMain: "github.com/containers/buildah/cmd/buildah"},
	{name: "yaegi", kind: aDebugTool, goMain: "github.com/traefik/yaegi"},
	{name: "air", kind: aDebugTool, goMain: "github.com/air-verse/air"},
	{name: "air", kind: aDebugTool, goMain: "github.com/cosmtrek/air"},
	{name: "grpcurl", kind: aDebugTool, goMain: "github.com/fullstorydev/grpcurl/cmd/grpcurl"},
	{name: "crane", kind: aDebugTool, goMain: "github.com/google/go-containerregistry/cmd/crane"},
	{name: "oras", kind: aDebugTool, goMain: "oras.land/oras/cmd/oras"},
	{name: "skopeo", kind: aDebugTool, goMain: "github.com/containers/skopeo/cmd/skopeo"},
	{name: "kubectl", kind: aDebugTool, goMain: "k8s.io/kubernetes/cmd/kubectl"},
	{name: "kubectl", kind: aDebugTool, goMain: "k8s.io/kubernetes/cmd/kubectl-sdk"}, // Google's Cloud SDK
	{name: "kubectl", kind: aDebugTool, goMain: "k8s.io/kubectl"},
	{name: "helm", kind: aDebugTool, goMain: "helm.sh/helm/cmd/helm"},
	{name: "docker", kind: aDebugTool, goMain: "github.com/docker/cli/cmd/docker"},
	{name: "nerdctl", kind: aDebugTool, goMain: "github.com/containerd/nerdctl/cmd/nerdctl"},
	{name: "crictl", kind: aDebugTool, goMain: "sigs.k8s.io/cri-tools/cmd/crictl"},
	{name: "ctr", kind: aDebugTool, goMain: "github.com/containerd/containerd/cmd/ctr"},
	{name: "runc", kind: aDebugTool, goMain: "github.com/opencontainers/runc"},
}

// elfStrings are what executables are searched for: the strings of all tools, each once,
// and what a private key begins with.
var elfStrings = sync.OnceValue(func() (sought struct {
	*needles
	index map[string]int // of a tool's string
	key   int
}) {
	var list []string
	index := make(map[string]int)
	for _, t := range tools {
		for _, s := range t.all {
			if _, known := index[s]; !known {
				index[s] = len(list)
				list = append(list, s)
			}
		}
	}
	sought.needles, sought.index, sought.key = newNeedles(append(list, pemNeedle)), index, len(list)
	return sought
})

// toolOf says which tool an executable is, nil for none of those known. What
// carries Go build info is judged by it alone: any string may stand in a Go
// program, and no C program has the build info by chance.
func toolOf(facts *executables.Facts, seen map[int]bool) *tool {
	if facts != nil && facts.Go != nil {
		main := unversioned(facts.Go.Path)
		for _, t := range tools {
			if t.goMain != "" && (main == t.goMain || strings.HasPrefix(main, t.goMain+"/")) {
				return t
			}
		}
		return nil
	}
	for _, t := range tools {
		if len(t.all) > 0 && t.in(seen) {
			return t
		}
	}
	return nil
}

func (t *tool) in(seen map[int]bool) bool {
	for _, s := range t.all {
		if !seen[elfStrings().index[s]] {
			return false
		}
	}
	return true
}

// unversioned takes the major version out of a package path:
// helm.sh/helm/v3/cmd/helm is of the module helm.sh/helm.
func unversioned(pkg string) string {
	elements := strings.Split(pkg, "/")
	for i, e := range elements {
		if i > 0 && len(e) > 1 && e[0] == 'v' && strings.Trim(e[1:], "0123456789") == "" {
			return strings.Join(append(elements[:i:i], elements[i+1:]...), "/")
		}
	}
	return pkg
}
