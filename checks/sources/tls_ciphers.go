package sources

import (
	"crypto/tls"
	"go/ast"
	"go/constant"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
)

var tlsCiphers = code(checks.Rule{
	Name:     "tls-ciphers",
	Severity: checks.Warning,
	Source:   "https://pkg.go.dev/crypto/tls#InsecureCipherSuites",
	Doc: `TLS is spoken with none of the cipher suites that Go calls insecure

RC4, 3DES, CBC with SHA-256 and the exchange of keys by RSA have known attacks, or
open what was recorded once the key leaks. Go leaves them out by itself, and a list of one's
own brings them back; it also keeps out what later releases prefer.

Leave CipherSuites out. Go orders what is left by itself, and TLS 1.3 takes no list.`,
	Good: `&tls.Config{CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}`,
	Bad:  `&tls.Config{CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}`,
}, func(p *pass) {
	seen := make(map[ast.Expr]bool)
	p.settings("crypto/tls", "Config", func(field string, v ast.Expr, _ inspector.Cursor) {
		if field == "CipherSuites" {
			p.suites(v, seen)
		}
	})
	for _, d := range p.directives() {
		if (d.name == "tlsrsakex" || d.name == "tls3des") && d.value == "1" {
			p.report(d.at, "take the line out", "//go:debug %s=1 brings back cipher suites that Go has taken out", d.name)
		}
	}
}, originsOf)

// suites reports the insecure ones among the elements of a list.
func (p *pass) suites(list ast.Expr, seen map[ast.Expr]bool) {
	list = ast.Unparen(list)
	if seen[list] {
		return
	}
	seen[list] = true
	o := p.origins()
	switch n := list.(type) {
	case *ast.CompositeLit:
		for _, el := range n.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				el = kv.Value
			}
			p.suite(el)
		}
	case *ast.CallExpr:
		if b, ok := p.TypesInfo.Uses[identOf(n.Fun)].(*types.Builtin); ok && b.Name() == "append" {
			p.suites(n.Args[0], seen)
			for _, el := range n.Args[1:] {
				if n.Ellipsis.IsValid() {
					p.suites(el, seen)
				} else {
					p.suite(el)
				}
			}
			return
		}
		for _, r := range o.results(n, 0) {
			p.suites(r, seen)
		}
	case *ast.Ident, *ast.SelectorExpr:
		if v := o.object(n); v != nil {
			for _, from := range o.given[v] {
				if from.expr != nil && from.of == 0 {
					p.suites(from.expr, seen)
				}
			}
		}
	}
}

func (p *pass) suite(el ast.Expr) {
	values, _ := p.origins().constants(el)
	for _, v := range values {
		id, _ := constant.Int64Val(constant.ToInt(v))
		for _, bad := range tls.InsecureCipherSuites() {
			if int64(bad.ID) == id {
				p.report(el, "leave CipherSuites out", "the cipher suite %s is insecure", bad.Name)
			}
		}
	}
}
