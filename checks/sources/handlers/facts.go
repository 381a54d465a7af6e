package handlers

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"temper/checks/pattern"
	"temper/checks/sources/flow"
)

// The holes of a fact that are no parameters: the receiver, and what a middleware that a
// function returns is put around.
const receiver, around = -1, -2

// handling is the fact of a function that has to do with handlers.
type handling struct {
	// Returns tells that it returns a handler, Middleware that it returns one, and
	// Answers that it answers requests itself, or helps to.
	Returns, Middleware, Answers bool
	Own, Mid                     Verdict
	// Holes are its parameters that requests are handed to.
	Holes map[int]Verdict
	// Paths are those that are answered without a look at the host.
	Paths []string
	// Under are its parameters that are middleware around it all.
	Under []int
	Reads Reads
	Codes []int
	// Routes are what it registers on its parameters.
	Routes map[int]Verdict
}

func (*handling) AFact()         {}
func (*handling) String() string { return "handles requests" }

// pages is the fact of a package that answers with HTML, or that registers on
// http.DefaultServeMux.
type pages struct {
	HTML    bool
	Default *Verdict
}

func (*pages) AFact()         {}
func (*pages) String() string { return "answers with pages" }

// state tells other packages what functions do.
func (c *Chains) state() {
	for _, f := range c.Files {
		if strings.HasSuffix(c.Fset.File(f.FileStart).Name(), "_test.go") {
			continue
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || fn.Body == nil {
				continue
			}
			if o, ok := c.TypesInfo.Defs[fn.Name].(*types.Func); ok {
				c.stateOf(o)
			}
		}
	}
	c.statePages()
}

func (c *Chains) stateOf(fn *types.Func) {
	sig := fn.Signature()
	var f handling
	b, ok := c.x.Open(fn)
	if !ok {
		return
	}
	c.steps = maxSteps / 10
	said := false
	for i := range sig.Results().Len() {
		t := sig.Results().At(i).Type()
		if !isHandler(t) && !isMiddleware(t) || isHandlerFunc(sig) {
			continue
		}
		c.stateReturns(fn, b, i, &f)
		said = true
		break
	}
	if !said && c.takesRequest(sig) {
		c.stateAnswers(fn, b, &f)
		said = true
	}
	for i := range sig.Params().Len() {
		if p := sig.Params().At(i); isRouter(p.Type()) {
			if c.routers == nil {
				c.register()
			}
			if c.routers[p] != nil {
				if f.Routes == nil {
					f.Routes = make(map[int]Verdict)
				}
				f.Routes[i] = c.router(p, p.Type()).Own
			}
			said = true
		}
	}
	if said {
		c.ExportObjectFact(fn, &f)
	}
}

func (c *Chains) stateReturns(fn *types.Func, b flow.Body, result int, f *handling) {
	t := fn.Signature().Results().At(result).Type()
	var list []Summary
	for _, r := range c.x.Returns(b, result) {
		switch {
		case isHandler(t):
			list = append(list, c.argument(r))
		case isMiddleware(t):
			for _, m := range c.x.Origins(r) {
				list = append(list, c.middleware(m))
			}
		}
	}
	f.Returns, f.Middleware = isHandler(t), !isHandler(t)
	c.keep(fn, either(list), f)
}

// keep turns a summary into a fact: its holes are parameters by their index.
func (c *Chains) keep(fn *types.Func, s Summary, f *handling) {
	for k, before := range s.Holes {
		i, ok := c.indexOf(fn, k)
		if !ok {
			s = s.And(unknown("what it hands requests on to is not in sight").After(before))
			continue
		}
		if f.Holes == nil {
			f.Holes = make(map[int]Verdict)
		}
		f.Holes[i] = before
	}
	f.Own, f.Mid, f.Paths = s.Own, s.Mid, slices.Sorted(maps.Keys(s.Paths))
	for k := range s.Under {
		if i, ok := c.indexOf(fn, k); ok {
			f.Under = append(f.Under, i)
		}
	}
	slices.Sort(f.Under)
}

func (c *Chains) indexOf(fn *types.Func, key any) (int, bool) {
	if key == (passed{}) {
		return around, true
	}
	o, ok := key.(*types.Var)
	if !ok {
		return 0, false
	}
	of, i, ok := c.x.Param(o)
	return i, ok && of == fn
}

// takesRequest tells functions that are given a request or a writer.
func (c *Chains) takesRequest(sig *types.Signature) bool {
	for i := range sig.Params().Len() {
		t := sig.Params().At(i).Type()
		if isWriter(t) || isRequest(t) || isContext(t) || flow.IsType(t, netHTTP, "Header") {
			return true
		}
	}
	return false
}

func (c *Chains) stateAnswers(fn *types.Func, b flow.Body, f *handling) {
	a := c.body(b, nil)
	f.Answers, f.Reads = true, c.readsOf(fn)
	s := a.summary()
	c.keep(fn, s, f)
	f.Mid = a.before
	if a.kept != "" && len(a.next) == 0 {
		f.Mid.dim(called(fn) + " sets headers that are not in sight")
	}
	r := refused{codes: make(map[int]bool)}
	c.bodyCodes(b, &r)
	f.Codes = slices.Sorted(maps.Keys(r.codes))
}

func (c *Chains) statePages() {
	f := pages{HTML: c.writesHTML()}
	for _, p := range c.Pkg.Imports() {
		var of pages
		if c.ImportPackageFact(p, &of) && of.HTML && sameTree(p.Path(), c.Pkg.Path()) {
			f.HTML = true
		}
	}
	c.steps = maxSteps
	if s := c.defaultMux(); s.Own != exempt && s.Own.Host.Level != Unknown {
		f.Default = &s.Own
	}
	if f.HTML || f.Default != nil {
		c.ExportPackageFact(&f)
	}
	c.html = f.HTML
}

// HTML tells that the package, or one of the same repository that it imports, answers
// with pages that a browser shows.
func (c *Chains) HTML() bool { return c.html }

// sameTree tells packages that are likely of one repository.
func sameTree(a, b string) bool {
	n := 2
	if i := strings.IndexByte(a, '/'); i > 0 && slices.Contains([]string{"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"}, a[:i]) {
		n = 3
	}
	x, y := strings.SplitN(a, "/", n+1), strings.SplitN(b, "/", n+1)
	return slices.Equal(x[:min(n, len(x))], y[:min(n, len(y))])
}

var tag = pattern.New(`(?i)<(!doctype html|html|body|h[1-6]|div|form|script)\b`)

// writesHTML tells that the code of the package has HTML in it, or serves files.
func (c *Chains) writesHTML() bool {
	for _, call := range c.x.Calls {
		fn := c.x.Callee(call)
		if fn == nil || fn.Pkg() == nil {
			continue
		}
		if fn.Pkg().Path() == "html/template" || flow.Is(fn, netHTTP, "FileServer", "FileServerFS", "ServeFile", "ServeFileFS", "ServeContent") {
			return true
		}
		r := fn.Signature().Recv()
		if r != nil && (fn.Name() == "HTML" && (isContext(r.Type())) || fn.Name() == "Render" && isEcho(r.Type(), "Context") || isRouter(r.Type()) && strings.HasPrefix(fn.Name(), "Static")) {
			return true
		}
	}
	for _, f := range c.Files {
		if strings.HasSuffix(c.Fset.File(f.FileStart).Name(), "_test.go") {
			continue
		}
		found := false
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING || found {
				return !found
			}
			if tv := c.TypesInfo.Types[lit]; tv.Value != nil {
				s := constant.StringVal(tv.Value)
				found = strings.Contains(strings.ToLower(s), "text/html") || tag().MatchString(s)
			}
			return true
		})
		if found {
			return true
		}
	}
	return false
}
