package sources

import (
	"go/ast"
	"go/constant"
	"path"
	"strings"

	"temper/checks"
)

var shellCommand = code(checks.Rule{
	Name:     "shell-command",
	Severity: checks.Warning,
	Source:   "https://github.com/GoogleContainerTools/distroless#readme",
	Doc: `no shell or other tool is started that the image does not have

An image of Temper's holds the service's binary and no other program: to start a shell
there fails, and where it does not, what goes into its command line can be more
than one command.

Do it in Go: net/http in place of curl, os.ReadDir in place of ls, os/signal and
syscall.Kill in place of kill. A program that the service really needs is a file
that temper.yaml declares, and is started by its path, without a shell.`,
	Good: `resp, err := client.Get(url)`,
	Bad:  `exec.Command("sh", "-c", "curl -s "+url)`,
}, func(p *pass) {
	for at, names := range [][]string{
		{"os/exec.Command", "syscall.Exec", "syscall.ForkExec", "syscall.StartProcess", "os.StartProcess", "golang.org/x/sys/unix.Exec"},
		{"os/exec.CommandContext"},
	} {
		for _, c := range p.callsOf(names...) {
			if n := c.Node().(*ast.CallExpr); len(n.Args) > at {
				p.started(n.Args[at])
			}
		}
	}
	p.setups("os/exec", "Cmd", func(s *setup) {
		if s.lit != nil {
			for _, v := range s.field("Path") {
				p.started(v)
			}
		}
	})
}, originsOf)

// shells are programs that take a command line; tools are others that images without a
// distribution do not have, and what does the same in Go.
var (
	shells = map[string]bool{
		"sh": true, "bash": true, "ash": true, "dash": true, "zsh": true, "ksh": true, "fish": true, "csh": true, "busybox": true,
		"cmd": true, "cmd.exe": true, "powershell": true, "pwsh": true,
	}
	tools = map[string]string{
		"curl": "net/http", "wget": "net/http", "nc": "net.Dial", "ping": "net.Dial", "dig": "net.Resolver", "nslookup": "net.Resolver", "getent": "net.Resolver",
		"apk": "a file of the image", "apt": "a file of the image", "apt-get": "a file of the image", "dpkg": "a file of the image", "yum": "a file of the image", "pip": "a file of the image", "npm": "a file of the image",
		"su-exec": "the image's user", "gosu": "the image's user", "su": "the image's user", "sudo": "the image's user",
		"ps": "/proc", "kill": "os.Process.Signal", "pkill": "os.Process.Signal", "killall": "os.Process.Signal",
		"ls": "os.ReadDir", "cat": "os.ReadFile", "cp": "io.Copy", "mv": "os.Rename", "rm": "os.RemoveAll", "mkdir": "os.MkdirAll", "chmod": "os.Chmod", "chown": "os.Chown",
		"touch": "os.Create", "echo": "fmt", "grep": "regexp", "sed": "strings", "awk": "strings", "cut": "strings", "head": "bufio", "tail": "bufio", "sort": "slices", "find": "filepath.WalkDir",
		"hostname": "os.Hostname", "whoami": "os.Getuid", "id": "os.Getuid", "date": "time.Now", "sleep": "time.Sleep", "env": "os.Environ", "which": "exec.LookPath", "uname": "runtime",
		"tar": "archive/tar", "gzip": "compress/gzip", "unzip": "archive/zip", "openssl": "crypto", "git": "a Go module", "python": "Go", "python3": "Go", "perl": "Go", "node": "Go",
	}
)

// started judges the program that a call starts.
func (p *pass) started(name ast.Expr) {
	values, _ := p.origins().constants(name)
	for _, v := range values {
		if v.Kind() != constant.String {
			continue
		}
		said := constant.StringVal(v)
		base := path.Base(strings.ReplaceAll(said, `\`, "/"))
		if in := path.Dir(said); in != "." && !strings.Contains(in, "bin") && in != "/" {
			continue // one that the service brings along
		}
		instead := tools[base]
		switch {
		case shells[base]:
			p.report(name, "do it in Go", "%s is a shell, and an image of Temper's has none", said)
		case instead != "":
			p.report(name, "use "+instead, "%s is not in an image that holds the service alone", said)
		default:
			continue
		}
		return
	}
}
