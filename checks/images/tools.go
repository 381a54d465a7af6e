package images

import (
	"strings"

	"temper/checks"
)

// What a name stands for, beside what content.go knows. A file of that name is a finding wherever it lies
// outside of /usr/share, where documentation and completions have the names of
// the tools they are about.
var (
	shells = names(`sh ash bash busybox csh dash elvish fish gosh hush ksh ksh93 lksh mksh nu oksh osh
		posh pwsh rbash rksh sash tcsh toybox xonsh yash zsh`)
	packageManagers = names(`apk apt apt-cache apt-get aptitude brew bun cargo conda corepack dnf dnf5
		dpkg dpkg-deb easy_install emerge flatpak gem guix mamba micromamba microdnf nix nix-env npm npx
		opkg pacman pip pip3 pipx pnpm poetry rpm snap tdnf urpmi uv uvx xbps-install yarn yum zypper`)
	debugTools = names(`aria2c bpftrace bwrap chpst cryptcat curl curlie dbclient dig dlv dlv-dap
		doas dropbear ethtool gcore gdb gdbserver gops gosu hping3 ifconfig iperf iperf3 kubectl lldb
		lldb-server lsof ltrace mtr nc nc.openbsd nc.traditional ncat netcat netstat ngrep nmap nping
		nsenter nslookup objdump perf ping ping6 pprof proot radare2 rr rsync runuser s6-setuidgid scp
		setpriv sftp socat ss ssh sshd sshpass strace su su-exec sudo sudoedit sysdig tcpdump telnet
		tracepath traceroute tshark uftrace unshare valgrind vgdb wget wget2`)
)

func names(list string) map[string]bool {
	m := make(map[string]bool)
	for _, name := range strings.Fields(list) {
		m[name] = true
	}
	return m
}

// Tool says what a program of this name is that no image should have, such as "a
// shell"; empty if it is none.
func Tool(name string) string {
	switch {
	case shells[name]:
		return string(aShell)
	case packageManagers[name]:
		return string(aPackageManager)
	case debugTools[name]:
		return string(aDebugTool)
	}
	return ""
}

// held reports every file that is a tool of the kind, by one of the names or,
// under any name, by its content.
func held(img *Image, p *checks.Pass, list map[string]bool, what kind) {
	for i := range img.Entries {
		e := &img.Entries[i]
		switch {
		case e.IsFile() && list[e.Base()] && !strings.HasPrefix(e.Path, "usr/share/"):
			p.Reportf(e.Place(), "%s is %s", e.Base(), what)
		case e.tool != nil && e.tool.kind == what:
			p.Reportf(e.Place(), "it is %s, %s, under the name %s", e.tool.name, what, printable(e.Base()))
		}
	}
}

var shell = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "shell",
		Severity: checks.Error,
		Source:   "https://github.com/GoogleContainerTools/distroless#why-should-i-use-distroless-images",
		Doc: `no layer holds a shell

Whoever finds a hole in the service looks for a shell next: with one, a line of
injected text becomes a session. A Go service needs none.

It is found by its name, and by its content under any other: busybox called
logo.png is still a shell.

Use a distroless base. In place of a shell script as entrypoint, do its work in
main; debug with an ephemeral container, which brings its own shell.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		held(img, p, shells, aShell)
		return nil
	},
}

var packageManager = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "package-manager",
		Severity: checks.Error,
		Source:   "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
		Doc: `no layer holds a package manager

A package manager in a running container installs what the image does not have,
and with it the image's digest no longer says what runs. It is found by its
name, and by its content under any other.

Use a distroless base; install what is needed while building, into a layer that
starts from nothing.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		held(img, p, packageManagers, aPackageManager)
		return nil
	},
}

var debugTool = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "debug-tool",
		Severity: checks.Error,
		Source:   "https://attack.mitre.org/techniques/T1105/",
		Doc: `no layer holds a debugger, a network tool or a tool that changes users

A debugger reads the service's memory and its keys; curl, wget and netcat fetch
the second stage and carry data out; su-exec, gosu and sudo exist to change the
user, which a container that starts as the right one never does. They are found
by their names, and by their content under any other.

Leave them out of the image. For a probe in place of curl use httpGet; for
debugging use an ephemeral container (kubectl debug).`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		held(img, p, debugTools, aDebugTool)
		return nil
	},
}
