package sources

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
)

var bodyLimit = code(checks.Rule{
	Name:     "body-limit",
	Severity: checks.Warning,
	Source:   "https://pkg.go.dev/net/http#MaxBytesReader",
	Doc: `a request's body is not read whole without a limit

The client decides how long a body is, and says nothing before when it sends it in
chunks. One that is read whole into memory takes the process over its limit, and
ParseMultipartForm puts on disk what it does not keep in memory, all of it.

Bound it before: r.Body = http.MaxBytesReader(w, r.Body, 1<<20), or for all handlers
http.MaxBytesHandler(mux, 1<<20).`,
	Good: `body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))`,
	Bad:  `body, err := io.ReadAll(r.Body)`,
}, func(p *pass) {
	b := &bodies{p, p.ResultOf[bodyBounds].(*boundsBodies).With}
	for _, c := range p.callsWhere(readsWhole) {
		n := c.Node().(*ast.CallExpr)
		if request := b.read(n); request != nil {
			b.judge(n, request, b.alternative(c))
		}
	}
}, originsOf, bodyBounds)

// limits tells whether an expression is a reader with an end.
func (p *pass) limits(e ast.Expr) bool { return p.limiter(e) != nil }

type bodies struct {
	*pass
	limited string
}

// readsWhole tells the functions that may read a body whole.
func readsWhole(name string) bool {
	switch name {
	case "io.ReadAll", "io/ioutil.ReadAll", "(*bytes.Buffer).ReadFrom", "io.Copy", "io.CopyBuffer", "(*net/http.Request).ParseMultipartForm":
		return true
	}
	return false
}

// read is the request whose body a call reads whole, without an end on the way; nil if
// it is none.
func (b *bodies) read(n *ast.CallExpr) ast.Expr {
	switch b.callee(n) {
	case "io.ReadAll", "io/ioutil.ReadAll", "(*bytes.Buffer).ReadFrom":
		return b.request(n.Args[0], 0)
	case "io.Copy", "io.CopyBuffer":
		if keeps(b.TypesInfo.TypeOf(n.Args[0])) {
			return b.request(n.Args[1], 0)
		}
	case "(*net/http.Request).ParseMultipartForm":
		return ast.Unparen(n.Fun).(*ast.SelectorExpr).X
	}
	return nil
}

// keeps tells whether a writer keeps in memory what is written to it.
func keeps(t types.Type) bool {
	return t != nil && (isNamed(made(t), "bytes", "Buffer") || isNamed(made(t), "strings", "Builder"))
}

// request is that of which an expression is the body, as it is or decompressed; nil if
// it is not one, or has an end.
func (b *bodies) request(e ast.Expr, depth int) ast.Expr {
	const most = 6
	if depth == most {
		return nil
	}
	switch e := ast.Unparen(e).(type) {
	case *ast.SelectorExpr:
		if b.isField(e, "net/http", "Request", "Body") {
			return e.X
		}
	case *ast.CallExpr:
		switch b.callee(e) {
		case "bufio.NewReader", "bufio.NewReaderSize", "io.TeeReader", "io.NopCloser", "compress/gzip.NewReader", "compress/zlib.NewReader", "compress/flate.NewReader":
			return b.request(e.Args[0], depth+1)
		}
	case *ast.Ident:
		v := b.origins().object(e)
		if v == nil {
			return nil
		}
		for _, from := range reaching(b.origins().given[v], e.Pos()) {
			if from.of == 0 {
				if r := b.request(from.expr, depth+1); r != nil {
					return r
				}
			}
		}
	}
	return nil
}

// alternative is the condition under which a call is made while another that has an
// end is made otherwise, as where a limit of -1 means none; nil if there is none.
func (b *bodies) alternative(c inspector.Cursor) ast.Expr {
	for from, up := c, c.Parent(); up.Node() != nil; from, up = up, up.Parent() {
		switch n := up.Node().(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return nil
		case *ast.IfStmt:
			if from.Node() == n.Body && (b.ends(n.Else) || returns(n.Body) && b.ends(after(up)...)) ||
				n.Else != nil && from.Node() == n.Else && b.ends(n.Body) {
				return n.Cond
			}
		}
	}
	return nil
}

// returns tells that a block ends the function.
func returns(in *ast.BlockStmt) bool {
	if len(in.List) == 0 {
		return false
	}
	_, ok := in.List[len(in.List)-1].(*ast.ReturnStmt)
	return ok
}

// after are the statements that follow one in its block.
func after(c inspector.Cursor) []ast.Stmt {
	block, ok := c.Parent().Node().(*ast.BlockStmt)
	if !ok {
		return nil
	}
	return block.List[slices.Index(block.List, c.Node().(ast.Stmt))+1:]
}

// ends tells that something is read in statements up to a limit.
func (b *bodies) ends(in ...ast.Stmt) (ends bool) {
	for _, stmt := range in {
		if stmt == nil {
			continue
		}
		ast.Inspect(stmt, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				ends = ends || b.limits(call) || b.fills(call)
			}
			return true
		})
	}
	return ends
}

// fills tells a call that reads so much of a body, and no more.
func (b *bodies) fills(call *ast.CallExpr) bool {
	switch b.callee(call) {
	case "io.CopyN":
		return b.request(call.Args[1], 0) != nil
	case "io.ReadFull", "io.ReadAtLeast":
		return b.request(call.Args[0], 0) != nil
	}
	return false
}

func (b *bodies) judge(n *ast.CallExpr, request, choice ast.Expr) {
	what := "the request's body is read whole, without a limit"
	if strings.HasSuffix(b.callee(n), ".ParseMultipartForm") {
		what = "the request's form is taken without a limit: what is not kept in memory goes to disk"
	}
	served, bounded := b.served(request, make(map[types.Object]bool))
	switch {
	case bounded || served == notServed:
	case b.limited != "":
		b.undecided(n, "%s here, and %s bounds some", what, b.limited)
	case choice != nil:
		b.undecided(n, "%s, which depends on %s", what, types.ExprString(choice))
	case served == mayServe:
		b.undecided(n, "%s, if it is one that a handler gets", what)
	default:
		b.report(n, "r.Body = http.MaxBytesReader(w, r.Body, 1<<20) before", "%s", what)
	}
}

// Whether a request is one that a server gets.
const (
	notServed = iota
	mayServe
	isServed
)

// served tells whether a request is one that a server gets, and whether its body is
// given an end.
func (b *bodies) served(request ast.Expr, seen map[types.Object]bool) (served int, bounded bool) {
	o := b.origins()
	v, ok := o.object(request).(*types.Var)
	if !ok || v.IsField() {
		return b.ofRouter(request, seen), b.bounded(o.place(request))
	}
	if seen[v] {
		return notServed, false
	}
	seen[v] = true
	if b.bounded(objectPlace(v)) {
		return isServed, true
	}
	if isServer, known := b.parameter(v); known {
		served = isServer
	}
	if served == isServed {
		return served, false
	}
	for _, from := range o.given[v] {
		if from.expr == nil || from.of != 0 {
			continue
		}
		theirs, limited := b.served(from.expr, seen)
		served, bounded = max(served, theirs), bounded || limited
	}
	return served, bounded
}

// ofRouter tells whether an expression is the request of a router's context.
func (b *bodies) ofRouter(e ast.Expr, seen map[types.Object]bool) int {
	switch e := ast.Unparen(e).(type) {
	case *ast.SelectorExpr:
		if b.isField(e, "github.com/gin-gonic/gin", "Context", "Request") {
			return isServed
		}
	case *ast.CallExpr:
		name := b.callee(e)
		if strings.Contains(name, "github.com/labstack/echo") && strings.HasSuffix(name, ".Context).Request") {
			return isServed
		}
		if strings.HasPrefix(name, "(*net/http.Request).") { // WithContext, Clone
			served, _ := b.served(ast.Unparen(e.Fun).(*ast.SelectorExpr).X, seen)
			return served
		}
	}
	return notServed
}

// bounded tells whether a request's body is given an end, here or where it is passed.
func (b *bodies) bounded(of place) bool {
	o := b.origins()
	for _, at := range o.names(of) {
		for _, v := range o.set[at+".Body"] {
			if b.limits(v) {
				return true
			}
		}
	}
	return false
}

// parameter tells whether a variable is a parameter, and whether of a handler: a
// function that takes a ResponseWriter as well. What else takes a request may be a
// client's, and RoundTrip is.
func (b *bodies) parameter(v *types.Var) (served int, known bool) {
	judge := func(name string, sig *types.Signature) {
		for param := range sig.Params().Variables() {
			known = known || param == v
		}
		if !known {
			return
		}
		switch {
		case takesWriter(sig):
			served = isServed
		case name == "RoundTrip":
			served = notServed
		default:
			served = mayServe
		}
	}
	each(b.pass, func(n *ast.FuncDecl) {
		if fn, ok := b.TypesInfo.Defs[n.Name].(*types.Func); ok && !known {
			judge(fn.Name(), fn.Signature())
		}
	})
	each(b.pass, func(n *ast.FuncLit) {
		if !known {
			judge("", b.TypesInfo.TypeOf(n).(*types.Signature))
		}
	})
	return served, known
}

func takesWriter(sig *types.Signature) bool {
	for param := range sig.Params().Variables() {
		if isNamed(param.Type(), "net/http", "ResponseWriter") {
			return true
		}
	}
	return false
}
