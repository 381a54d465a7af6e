package sources

import (
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"sync"

	"golang.org/x/tools/go/analysis"

	"temper/checks/sources/flow"
)

// clients finds the HTTP clients and transports of a package, and what is done with
// them.
var clients = &analysis.Analyzer{
	Name:       "clients",
	Doc:        "the HTTP clients of a package",
	Requires:   []*analysis.Analyzer{flow.Analyzer},
	FactTypes:  []analysis.Fact{new(returnsClient), new(setsClient), new(clientFields), new(addsCredentials), new(byConfiguration), new(asksArguments)},
	ResultType: reflect.TypeFor[*clientSet](),
	Run: func(p *analysis.Pass) (any, error) {
		s := &clientSet{
			Pass: p, Index: p.ResultOf[flow.Analyzer].(*flow.Index).Apart(),
			by: make(map[any]*client), stands: make(map[*types.Var][]*client), params: make(map[*types.Var]bool),
		}
		s.decoded, s.flags, s.leaking = sync.OnceValue(s.decodes), sync.OnceValue(s.flagged), sync.OnceValue(s.leakings)
		s.directed = sync.OnceValue(s.directs)
		s.find()
		s.follow()
		s.fill()
		s.sendings = s.send()
		s.state()
		return s, nil
	},
}

// A clientSet is what clients and transports a package has.
type clientSet struct {
	*analysis.Pass
	*flow.Index
	// clients and transports are in the order of the source. Each use of http.Get and
	// of http.DefaultClient is one of the clients, and all of those share their fields.
	clients, transports []*client
	// sendings are the calls that send requests.
	sendings []sending
	// by finds them by what [flow.Index.Key] says.
	by map[any]*client
	// stands are the clients that a parameter of a function literal stands for.
	stands map[*types.Var][]*client
	// params are the parameters of functions and function literals.
	params map[*types.Var]bool
	// common is http.DefaultClient, nil where the package does not import net/http.
	common types.Object
	// decoded and flags are what is read from requests and from flags, and leaking the
	// calls that take credentials along: once somebody asks, and some drivers run several
	// rules at once that do.
	decoded func() map[*types.Named]bool
	flags   func() map[*types.Var]bool
	leaking func() []leak
	// directed are the stores that say where a URL or a request leads.
	directed func() []flow.Store
	// callers are the parameters of exported functions that URLs come from, while somebody
	// asks for them.
	callers map[*types.Func][]int
}

// A client is a place where an http.Client is made; a transport is described by the
// same.
type client struct {
	// at is where it is made, and key what [flow.Index.Key] says of it.
	at  ast.Node
	key any
	// made says how, for people.
	made string
	// literal is where it is written out, nil otherwise.
	literal *ast.CompositeLit
	// copied is what it is a copy of, nil otherwise.
	copied ast.Expr
	// given are the values of its fields by name.
	given map[string][]flow.Value
	// set are the fields that a function of another package sets.
	set map[string]bool
	// from is what is known of the function of another package that made it, nil
	// otherwise.
	from *returnsClient
	// maker is that function.
	maker *types.Func
	// common tells that it is http.DefaultClient, and instead is what it is taken for where
	// that is nil, empty if it is taken anyway.
	common  bool
	instead string
	// escapes names what has it and may set fields that nobody sees, and handed is what
	// else than the package has it.
	escapes string
	handed  []handing
}

// A handing is a function or a field of another package that a client is given to.
type handing struct {
	by  string
	pkg *types.Package
	// call is what does it, nil for a field.
	call *ast.CallExpr
}

func isClient(t types.Type) bool { return flow.IsType(t, netHTTP, "Client") }

// isValue tells the named type of net/http from a pointer to it.
func isValue(t types.Type, name string) bool {
	if t == nil {
		return false
	}
	_, pointer := types.Unalias(t).(*types.Pointer)
	return !pointer && flow.IsType(t, netHTTP, name)
}

// find collects the clients and transports in the order of the source.
func (s *clientSet) find() {
	for _, imported := range s.Pkg.Imports() {
		if imported.Path() == netHTTP {
			s.common = imported.Scope().Lookup("DefaultClient")
		}
	}
	for _, f := range s.Files {
		if isTest(s.Pass, f.FileStart) {
			continue
		}
		var parents []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				parents = parents[:len(parents)-1]
				return true
			}
			s.look(n, parents)
			parents = append(parents, n)
			return true
		})
	}
}

func (s *clientSet) look(n ast.Node, parents []ast.Node) {
	switch n := n.(type) {
	case *ast.CompositeLit:
		if name := s.kind(deref(s.TypesInfo.TypeOf(n))); name != "" {
			s.add(name, &client{at: n, key: ast.Expr(n), made: "this " + words[name], literal: n})
		}
	case *ast.CallExpr:
		s.call(n)
	case *ast.AssignStmt:
		s.copies(n.Lhs, n.Rhs)
	case *ast.ValueSpec:
		var left []ast.Expr
		for _, id := range n.Names {
			s.declared(id)
			left = append(left, id)
		}
		s.copies(left, n.Values)
	case *ast.StructType:
		s.fields(n)
	case *ast.FuncType:
		s.signature(n)
	case *ast.Ident:
		s.use(n, parents)
	}
}

var words = map[string]string{"Client": "client", "Transport": "transport"}

// kind is Client or Transport for the values of these types, and empty for others.
func (s *clientSet) kind(t types.Type) string {
	if n, ok := types.Unalias(t).(*types.Named); ok && words[n.Obj().Name()] != "" && isValue(n, n.Obj().Name()) {
		return n.Obj().Name()
	}
	return ""
}

func deref(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

func (s *clientSet) add(kind string, c *client) {
	if kind == "Transport" {
		s.transports = append(s.transports, c)
	} else {
		s.clients = append(s.clients, c)
	}
	c.given, c.set = make(map[string][]flow.Value), make(map[string]bool)
	if before := s.by[c.key]; before != nil {
		c.given, c.set = before.given, before.set
		return
	}
	s.by[c.key] = c
}

// declared adds a variable that is a client by itself, which nobody fills with one.
func (s *clientSet) declared(id *ast.Ident) {
	o, ok := s.TypesInfo.Defs[id].(*types.Var)
	if !ok || len(s.Given(o)) > 0 {
		return
	}
	if kind := s.kind(o.Type()); kind != "" {
		s.add(kind, &client{at: id, key: o, made: words[kind] + " " + id.Name})
	}
}

// copies finds the copies of clients that are then given fields of their own. That of
// http.DefaultClient is found where it is used.
func (s *clientSet) copies(left, right []ast.Expr) {
	if len(left) != len(right) {
		return
	}
	for i, r := range right {
		id, ok := ast.Unparen(left[i]).(*ast.Ident)
		if !ok || s.kind(s.TypesInfo.TypeOf(r)) != "Client" || s.Key(flow.Value{Expr: bare(r)}) == any(s.common) {
			continue
		}
		switch ast.Unparen(r).(type) {
		case *ast.CompositeLit, *ast.CallExpr:
			continue
		}
		own := func(store flow.Store) bool {
			return s.isField(store) && store.Through == nil && s.Key(flow.Value{Expr: bare(store.Base)}) == any(s.TypesInfo.ObjectOf(id))
		}
		if slices.ContainsFunc(s.Stores, own) {
			s.add("Client", &client{at: id, key: s.TypesInfo.ObjectOf(id), made: "client " + id.Name + ", a copy of " + types.ExprString(r) + ",", copied: r})
		}
	}
}

// inherit gives a copy the fields of the clients that it may be of, but for those that it
// is given. It escapes where nobody knows what it is of.
func (s *clientSet) inherit(c *client) {
	from, all := s.keysOf(c.copied)
	if !all {
		c.escapes = types.ExprString(c.copied)
	}
	own := make(map[string]bool)
	for name := range c.given {
		own[name] = true
	}
	for _, f := range from {
		for name, values := range f.given {
			if !own[name] {
				c.given[name] = append(c.given[name], values...)
			}
		}
		for name := range f.set {
			c.set[name] = c.set[name] || !own[name]
		}
		if f.escapes != "" {
			c.escapes = f.escapes
		}
	}
}

// signature takes the parameters of a function, and its named results.
func (s *clientSet) signature(n *ast.FuncType) {
	for _, f := range n.Params.List {
		for _, id := range f.Names {
			if o, ok := s.TypesInfo.Defs[id].(*types.Var); ok {
				s.params[o] = true
			}
		}
	}
	if n.Results != nil {
		for _, f := range n.Results.List {
			for _, id := range f.Names {
				s.declared(id)
			}
		}
	}
}

// fields finds the fields of structs that are clients by themselves, and that nobody
// fills with one. What other packages may fill is left alone: a field with a name of its
// own that they can see.
func (s *clientSet) fields(n *ast.StructType) {
	s.Fields(n, func(f *ast.Field, o *types.Var) {
		kind := s.kind(o.Type())
		if kind == "" || len(s.Given(o)) > 0 || o.Exported() && !o.Embedded() && s.Pkg.Name() != "main" {
			return
		}
		s.add(kind, &client{at: f, key: o, made: "the " + words[kind] + " in field " + o.Name()})
	})
}

func (s *clientSet) call(n *ast.CallExpr) {
	if id, ok := ast.Unparen(n.Fun).(*ast.Ident); ok && len(n.Args) == 1 {
		if b, ok := s.TypesInfo.Uses[id].(*types.Builtin); ok && b.Name() == "new" {
			if kind := s.kind(s.TypesInfo.TypeOf(n.Args[0])); kind != "" {
				s.add(kind, &client{at: n, key: ast.Expr(n), made: "this " + words[kind]})
			}
			return
		}
	}
	fn := s.Callee(n)
	if fn == nil || fn.Pkg() == nil || fn.Pkg() == s.Pkg {
		return
	}
	if made := s.returned(fn, n); made != nil {
		s.add("Client", &client{at: n, key: ast.Expr(n), made: "the client that " + funcName(fn) + " returns", from: made, maker: fn})
	}
}

// gets are the functions of net/http that ask with http.DefaultClient.
var gets = map[string]bool{"Get": true, "Head": true, "Post": true, "PostForm": true}

// use adds a use of http.DefaultClient: itself, a copy, or http.Get and its like.
func (s *clientSet) use(id *ast.Ident, parents []ast.Node) {
	if id.Name != "DefaultClient" && !gets[id.Name] {
		return
	}
	o := s.TypesInfo.Uses[id]
	if o == nil || s.common == nil || o.Pkg() == nil || o.Pkg().Path() != netHTTP {
		return
	}
	if o != s.common {
		if fn, ok := o.(*types.Func); ok && gets[fn.Name()] && fn.Signature().Recv() == nil && s.untouched() {
			s.add("Client", &client{at: id, key: s.common, made: "http." + fn.Name(), common: true})
		}
		return
	}
	var at ast.Node = id
	i := len(parents) - 1
	for ; i >= 0; i-- { // http.DefaultClient, also in parentheses
		switch parents[i].(type) {
		case *ast.SelectorExpr, *ast.ParenExpr:
			if sel, ok := parents[i].(*ast.SelectorExpr); !ok || sel.Sel == id {
				at = parents[i]
				continue
			}
		}
		break
	}
	if i < 0 {
		return
	}
	switch around := parents[i].(type) {
	case *ast.StarExpr:
		s.add("Client", &client{at: around, key: s.copied(around, parents[:i]), made: "this copy of http.DefaultClient"})
		return
	case *ast.BinaryExpr:
		return // it is compared
	case *ast.SelectorExpr:
		if v, ok := s.TypesInfo.Uses[around.Sel].(*types.Var); ok && v.IsField() {
			return // a field of it is read or set
		}
	case *ast.AssignStmt:
		for _, l := range around.Lhs {
			if l == at {
				return
			}
		}
	}
	if s.untouched() {
		s.add("Client", &client{at: at, key: s.common, made: "http.DefaultClient", common: true, instead: s.instead(at, parents[:i+1])})
	}
}

// instead is what http.DefaultClient is taken for where that is nil: a parameter, or a field
// that others fill.
func (s *clientSet) instead(at ast.Node, parents []ast.Node) string {
	assign, ok := parents[len(parents)-1].(*ast.AssignStmt)
	if !ok || len(assign.Lhs) != 1 || assign.Rhs[0] != at || len(parents) < 3 {
		return ""
	}
	branch, ok := parents[len(parents)-3].(*ast.IfStmt)
	if !ok || ast.Node(branch.Body) != parents[len(parents)-2] {
		return ""
	}
	cond, ok := ast.Unparen(branch.Cond).(*ast.BinaryExpr)
	to := types.ExprString(assign.Lhs[0])
	if !ok || cond.Op != token.EQL || !s.TypesInfo.Types[cond.Y].IsNil() || types.ExprString(cond.X) != to {
		return ""
	}
	if o, ok := s.Key(flow.Value{Expr: assign.Lhs[0]}).(*types.Var); !ok || !o.IsField() && !s.params[o] {
		return ""
	}
	return to
}

// untouched tells that the package puts no client of its own into http.DefaultClient.
func (s *clientSet) untouched() bool {
	v, ok := s.common.(*types.Var)
	return ok && len(s.Given(v)) == 0
}

// copied is the key of what a copy is put into.
func (s *clientSet) copied(star *ast.StarExpr, parents []ast.Node) any {
	into := func(e ast.Expr) any { return s.Key(flow.Value{Expr: e}) }
	switch around := parents[len(parents)-1].(type) {
	case *ast.AssignStmt:
		for i, r := range around.Rhs {
			if r == star && len(around.Lhs) == len(around.Rhs) {
				return into(around.Lhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, r := range around.Values {
			if r == star && i < len(around.Names) {
				return into(around.Names[i])
			}
		}
	case *ast.KeyValueExpr:
		if key, ok := around.Key.(*ast.Ident); ok {
			return into(key)
		}
	}
	return ast.Expr(star)
}
