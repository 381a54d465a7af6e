package sources

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// servers reports what the servers of a package lack, and the calls of functions
// elsewhere that start such a server. The value is what the field is given to mend it.
func (p *pass) servers(field, value string, lacks func(*server) string) {
	s := p.ResultOf[servers].(*serverSet)
	fix := fmt.Sprintf("give it %s: %s", field, value)
	for _, srv := range s.servers {
		lack := lacks(srv)
		switch {
		case lack == "" || s.local(srv):
		case srv.escapes != "":
			p.undecided(srv.at, "%s has %s here, and %s gets hold of it", srv.made, lack, srv.escapes)
		case srv.bare != nil && field != "ReadHeaderTimeout":
			// That it has no timeout at all is said once.
		case srv.bare != nil:
			p.mend(srv.at, "serve with an http.Server that has timeouts", p.spellOut(srv.call), "%s serves with no timeout at all", srv.made)
		case strings.HasPrefix(lack, "no "):
			p.mend(srv.at, fix, p.addField(srv, field, value), "%s has %s", srv.made, lack)
		default:
			p.report(srv.at, fix, "%s: %s", srv.made, lack)
		}
	}
	if field != "ReadHeaderTimeout" {
		return
	}
	for _, call := range s.Calls {
		fn := s.Callee(call)
		if lack := s.Serves(call, field); lack != "" && !p.sameModule(fn.Pkg()) {
			fix := fmt.Sprintf("give the handler to an http.Server of your own that has timeouts, instead of calling %s", funcName(fn))
			p.report(call, fix, "%s serves with an http.Server that has %s", funcName(fn), lack)
		}
	}
}

// sameModule tells whether a package is of the module that is looked at, so that what is
// wrong in it has been reported there.
func (p *pass) sameModule(other *types.Package) bool {
	if p.Module == nil || p.Module.Path == "" {
		return false
	}
	return other.Path() == p.Module.Path || strings.HasPrefix(other.Path(), p.Module.Path+"/")
}

// addField puts a field into the literal of a server. There is no edit where there is
// no literal, or where its fields have no names.
func (p *pass) addField(srv *server, field, value string) []analysis.TextEdit {
	if srv.waits[field].Set {
		return nil
	}
	return p.intoLiteral(srv.literal, field+": "+value)
}

func (p *pass) line(pos token.Pos) int { return p.Fset.Position(pos).Line }

// spellOut turns http.ListenAndServe(addr, handler), and its like, into the method of
// a server with timeouts.
func (p *pass) spellOut(call *ast.CallExpr) []analysis.TextEdit {
	if call == nil || len(call.Args) < 2 || call.Ellipsis.IsValid() {
		return nil
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || !isBareUse(p.TypesInfo, sel.Sel) { // it is called by another name
		return nil
	}
	text := func(e ast.Expr) string {
		var b bytes.Buffer
		if format.Node(&b, p.Fset, e) != nil {
			return ""
		}
		return b.String()
	}
	pkg, method := text(sel.X), sel.Sel.Name
	name, edits := p.importing(call.Pos(), "time")
	var fields, args []string
	first, rest := call.Args[0], call.Args[1:]
	if strings.HasPrefix(method, "Listen") {
		fields = append(fields, "Addr: "+text(first))
	} else {
		args = append(args, text(first))
	}
	handler := rest[len(rest)-1] // behind the files of a certificate
	if method == "ServeTLS" {
		handler, rest = rest[0], rest[1:]
	} else {
		rest = rest[:len(rest)-1]
	}
	for _, a := range rest {
		args = append(args, text(a))
	}
	if h := text(handler); h != "nil" {
		fields = append(fields, "Handler: "+h)
	}
	fields = append(fields, fmt.Sprintf("ReadHeaderTimeout: 5 * %s.Second", name), fmt.Sprintf("IdleTimeout: 2 * %s.Minute", name))
	made := fmt.Sprintf("(&%s.Server{%s}).%s(%s)", pkg, strings.Join(fields, ", "), method, strings.Join(args, ", "))
	return append(edits, analysis.TextEdit{Pos: call.Pos(), End: call.End(), NewText: []byte(made)})
}
