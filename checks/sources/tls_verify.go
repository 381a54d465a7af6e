package sources

import (
	"go/ast"
	"go/constant"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
)

var tlsVerify = code(checks.Rule{
	Name:     "tls-verify",
	Severity: checks.Error,
	Source:   "https://pkg.go.dev/crypto/tls#Config",
	Doc: `TLS clients verify whom they talk to

With InsecureSkipVerify a client takes any certificate from anybody: what it sends, its
credentials with it, can be read and changed by whoever is on the way, and
nothing shows it.

Give the authority of a private server in RootCAs, and its name in ServerName. Where
certificates are verified in another way, do it in VerifyConnection.`,
	Good: `&tls.Config{RootCAs: pool, ServerName: "orders.internal"}`,
	Bad:  `&tls.Config{InsecureSkipVerify: true}`,
}, func(p *pass) {
	verified := make(map[ast.Expr]bool)
	p.setups("crypto/tls", "Config", func(s *setup) {
		if s.given("VerifyConnection") || s.given("VerifyPeerCertificate") {
			for _, v := range s.field("InsecureSkipVerify") {
				verified[v] = true
			}
		}
	})
	p.settings("crypto/tls", "Config", func(field string, v ast.Expr, at inspector.Cursor) {
		if field == "InsecureSkipVerify" && !verified[v] && !p.verifiedAt(at, v) {
			p.skips(v, at)
		}
	})
}, originsOf)

// given tells whether a field is given anything but nil.
func (s *setup) given(field string) bool {
	for _, v := range s.field(field) {
		if !s.o.info.Types[v].IsNil() {
			return true
		}
	}
	return false
}

// verifiedAt tells whether a configuration that is not made here, such as one that is
// a parameter, is given a way to verify where it is told to skip the usual one.
func (p *pass) verifiedAt(at inspector.Cursor, v ast.Expr) bool {
	assign, ok := at.Node().(*ast.AssignStmt)
	if !ok {
		return false
	}
	for i, r := range assign.Rhs {
		if r != v {
			continue
		}
		sel, ok := ast.Unparen(assign.Lhs[i]).(*ast.SelectorExpr)
		if !ok {
			return false
		}
		of := p.origins().place(sel.X)
		for _, name := range []place{".VerifyConnection", ".VerifyPeerCertificate"} {
			for _, v := range p.origins().set[of+name] {
				if of != "" && !p.TypesInfo.Types[v].IsNil() {
					return true
				}
			}
		}
	}
	return false
}

func (p *pass) skips(v ast.Expr, at inspector.Cursor) {
	yes, no := false, false
	values, all := p.origins().constants(v)
	for _, c := range values {
		if constant.BoolVal(c) {
			yes = true
		} else {
			no = true
		}
	}
	choice := p.choice(at)
	switch {
	case !yes && all:
	case !all || no:
		p.undecided(v, "InsecureSkipVerify is %s, which the source does not tell", types.ExprString(v))
	case choice != nil:
		p.undecided(v, "InsecureSkipVerify is true where %s says so", types.ExprString(choice))
	default:
		p.report(v, "give the server's authority in RootCAs, or verify in VerifyConnection", "InsecureSkipVerify is true: any certificate is taken from anybody")
	}
}
