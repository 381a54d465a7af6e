package sources

import (
	"go/ast"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
)

var setuidCall = code(checks.Rule{
	Name:     "setuid-call",
	Severity: checks.Warning,
	Source:   "https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted",
	Doc: `the service does not change its user or groups

A process can change them only while it is root or has the capabilities: a service
that does must be started as root, and in a pod that forbids that the call fails. An
image of Temper's runs as its user from the first instruction on.

Take the call out, and set the user in temper.yaml (user: 65532:65532) or in the
pod's securityContext.`,
	Bad: `syscall.Setuid(65532)`,
}, func(p *pass) {
	changes := func(name string) bool {
		return strings.HasPrefix(name, "syscall.") && changing[name[len("syscall."):]] ||
			strings.HasPrefix(name, "golang.org/x/sys/unix.") && changing[name[len("golang.org/x/sys/unix."):]]
	}
	for _, c := range p.callsWhere(changes) {
		n := c.Node().(*ast.CallExpr)
		name := p.callee(n)
		p.report(n, "take it out: the image's user is set in temper.yaml", "%s needs a process that starts as root, or with capabilities", name[strings.LastIndexByte(name, '.')+1:])
	}
	p.settings("syscall", "SysProcAttr", func(field string, v ast.Expr, _ inspector.Cursor) {
		if field == "Credential" && !p.TypesInfo.Types[v].IsNil() {
			p.report(v, "start it as the user that the service is", "a process is started as another user, which needs one that is root")
		}
	})
})

// changing are the system calls that give a process another user or group.
var changing = map[string]bool{
	"Setuid": true, "Setgid": true, "Seteuid": true, "Setegid": true, "Setreuid": true, "Setregid": true, "Setresuid": true,
	"Setresgid": true, "Setgroups": true, "Setfsuid": true, "Setfsgid": true, "SetfsuidRetUid": true, "SetfsgidRetGid": true,
}
