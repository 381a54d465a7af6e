package sources

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"go/version"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
)

var tlsVersion = code(checks.Rule{
	Name:     "tls-version",
	Severity: checks.Error,
	Source:   "https://www.rfc-editor.org/rfc/rfc8996",
	Doc: `TLS is version 1.2 or later

TLS 1.0 and 1.1 rest on MD5 and SHA-1 and were withdrawn in 2021. Who stands between
can make both sides take the oldest version that they have in common, so one that is
allowed for old clients is there for all of them.

Leave MinVersion and MaxVersion out: Go's own minimum is TLS 1.2, for servers since
go.mod says go 1.22. Or set MinVersion: tls.VersionTLS12 or tls.VersionTLS13. Take
//go:debug tls10server=1 out.`,
	Good: `srv := &http.Server{TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13}}`,
	Bad:  `srv := &http.Server{TLSConfig: &tls.Config{MinVersion: tls.VersionTLS10}}`,
}, func(p *pass) {
	p.settings("crypto/tls", "Config", func(field string, v ast.Expr, at inspector.Cursor) {
		if field == "MinVersion" || field == "MaxVersion" {
			p.version(field, v, at)
		}
	})
	debug := p.directives()
	for _, d := range debug {
		if d.name == "tls10server" && d.value == "1" {
			p.report(d.at, "take the line out", "//go:debug tls10server=1: servers speak TLS 1.0 where their configuration says no version")
		}
	}
	if p.oldServers(debug) {
		p.unversioned()
	}
}, originsOf)

// version judges what MinVersion or MaxVersion is given.
func (p *pass) version(field string, v ast.Expr, at inspector.Cursor) {
	values, all := p.origins().constants(v)
	old, fine := int64(-1), false
	for _, c := range values {
		if n, exact := constant.Int64Val(constant.ToInt(c)); exact && n > 0 && n < 0x0303 {
			old = n
		} else {
			fine = true
		}
	}
	choice := p.choice(at)
	switch {
	case old < 0 && all:
	case old < 0:
		p.undecided(v, "%s is %s, which the source does not tell", field, types.ExprString(v))
	case fine || !all:
		p.undecided(v, "%s is %s, and that can be %s", field, types.ExprString(v), tlsName(old))
	case choice != nil:
		p.undecided(v, "%s is %s where %s says so", field, tlsName(old), types.ExprString(choice))
	default:
		message := fmt.Sprintf("%s is %s", field, tlsName(old))
		if field == "MaxVersion" {
			p.report(v, "leave MaxVersion out", "%s: nothing better is ever spoken", message)
			return
		}
		sel, ok := ast.Unparen(v).(*ast.SelectorExpr)
		if !ok || !strings.HasPrefix(sel.Sel.Name, "VersionTLS") {
			p.report(v, "leave MinVersion out, or set tls.VersionTLS12", "%s", message)
			return
		}
		p.mend(v, "set "+types.ExprString(sel.X)+".VersionTLS12", []analysis.TextEdit{
			{Pos: sel.Sel.Pos(), End: sel.Sel.End(), NewText: []byte("VersionTLS12")},
		}, "%s", message)
	}
}

func tlsName(v int64) string {
	switch v {
	case 0x0300:
		return "SSL 3.0"
	case 0x0301:
		return "TLS 1.0"
	case 0x0302:
		return "TLS 1.1"
	}
	return fmt.Sprintf("%#04x, which is older than TLS 1.2", v)
}

// A directive is a //go:debug line.
type directive struct {
	at          *ast.Comment
	name, value string
}

// directives are those of the package's files; Go minds them in main packages.
func (p *pass) directives() []directive {
	var all []directive
	if p.Pkg.Name() != "main" {
		return nil
	}
	for _, f := range p.Files {
		if isTest(p.Pass, f.Pos()) {
			continue
		}
		for _, group := range f.Comments {
			if group.Pos() > f.Package {
				break
			}
			for _, c := range group.List {
				setting, ok := strings.CutPrefix(c.Text, "//go:debug ")
				name, v, _ := strings.Cut(strings.TrimSpace(setting), "=")
				if ok {
					all = append(all, directive{c, name, v})
				}
			}
		}
	}
	return all
}

// goLine is the language version of the module, such as 1.26, empty where nobody says so.
// Drivers write it with go before it, or without.
func (p *pass) goLine() string {
	if p.Module == nil {
		return ""
	}
	return strings.TrimPrefix(p.Module.GoVersion, "go")
}

// oldServers tells whether servers speak TLS 1.0 for what go.mod says.
// https://go.dev/doc/go1.22#crypto/tls
func (p *pass) oldServers(debug []directive) bool {
	says := p.goLine()
	for _, d := range debug {
		switch d.name {
		case "tls10server":
			return false // what it says is told, or is 0
		case "default":
			says = strings.TrimPrefix(d.value, "go")
		}
	}
	return says != "" && version.Compare("go"+says, "go1.22") < 0
}

// unversioned reports the servers that say no version.
func (p *pass) unversioned() {
	const fix = "set MinVersion: tls.VersionTLS12, or go mod edit -go=1.22 or later"
	said := func(at analysis.Range) {
		p.report(at, fix, "go.mod says go %s, by which a server that says no MinVersion speaks TLS 1.0", p.goLine())
	}
	p.setups("crypto/tls", "Config", func(s *setup) {
		if len(s.field("MinVersion")) == 0 && p.serves(s) {
			said(s.at.Node())
		}
	})
	for _, c := range p.callsOf("net/http.ListenAndServeTLS", "net/http.ServeTLS") {
		said(c.Node())
	}
}

// serves tells whether a configuration is that of a server.
func (p *pass) serves(s *setup) bool {
	for _, of := range []string{"ClientAuth", "ClientCAs", "GetConfigForClient", "GetCertificate"} {
		if len(s.field(of)) > 0 {
			return true
		}
	}
	serving := func(e ast.Expr) bool {
		if s.lit != nil && unwrapped(e) == s.lit {
			return true
		}
		at := s.o.place(e)
		for _, mine := range s.places {
			if at == mine {
				return at != ""
			}
		}
		return false
	}
	found := false
	p.settings("net/http", "Server", func(field string, v ast.Expr, _ inspector.Cursor) {
		found = found || field == "TLSConfig" && serving(v)
	})
	for _, c := range p.callsOf("crypto/tls.Listen") {
		found = found || serving(c.Node().(*ast.CallExpr).Args[2])
	}
	for _, c := range p.callsOf("crypto/tls.NewListener", "crypto/tls.Server") {
		found = found || serving(c.Node().(*ast.CallExpr).Args[1])
	}
	return found
}
