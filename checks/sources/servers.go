package sources

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"net"
	"reflect"
	"slices"
	"time"

	"golang.org/x/tools/go/analysis"

	"temper/checks/sources/flow"
)

const netHTTP = "net/http"

// servers finds the HTTP servers of a package, and what their waits are.
var servers = &analysis.Analyzer{
	Name:       "servers",
	Doc:        "the HTTP servers of a package",
	Requires:   []*analysis.Analyzer{flow.Analyzer},
	FactTypes:  []analysis.Fact{new(serves), new(returnsServer), new(setsServer)},
	ResultType: reflect.TypeFor[*serverSet](),
	Run: func(p *analysis.Pass) (any, error) {
		s := &serverSet{Pass: p, Index: p.ResultOf[flow.Analyzer].(*flow.Index).Apart(), bare: make(map[*types.Func]serves), copied: make(map[*types.Var]bool)}
		s.find()
		s.state()
		return s, nil
	},
}

// A serverSet is what servers a package has.
type serverSet struct {
	*analysis.Pass
	*flow.Index
	servers []*server
	// bare are the functions that serve with a server whose waits are bare, and how.
	bare map[*types.Func]serves
	// copied are the variables that hold copies.
	copied map[*types.Var]bool
}

// A server is a place where an http.Server is made.
type server struct {
	// at is where it is made, and key what [flow.Index.Key] says of it.
	at  ast.Node
	key any
	// made says how, for people.
	made string
	// literal is where it is written out, nil otherwise.
	literal *ast.CompositeLit
	// bare is the function of net/http that serves without a server in sight, nil for
	// other servers, and call is where, nil where it is handed to somebody else.
	bare *types.Func
	call *ast.CallExpr
	// copied is what it is a copy of, nil otherwise.
	copied ast.Expr
	// waits are its timeouts by the name of the field.
	waits map[string]wait
	// addr are the values of its field Addr, or of the argument that stands for it.
	addr []flow.Value
	// escapes names a function of another package that has it, and of which nobody
	// knows what it sets.
	escapes string
}

// A wait is what a program says of a timeout.
type wait struct {
	// Set tells that it is given a value, and Known that all of them are constants.
	Set, Known bool
	// Most is the longest of them, where they are known.
	Most time.Duration
	// Least is the shortest.
	Least time.Duration
}

// bareCalls are the functions of net/http that serve without a server, by the index of
// their address; -1 is a listener.
var bareCalls = map[string]int{"ListenAndServe": 0, "ListenAndServeTLS": 0, "Serve": -1, "ServeTLS": -1}

var serveMethods = []string{"Server.ListenAndServe", "Server.ListenAndServeTLS", "Server.Serve", "Server.ServeTLS"}

func isServer(t types.Type) bool { return flow.IsType(t, netHTTP, "Server") }

// isServerValue tells a server from a pointer to one.
func isServerValue(t types.Type) bool {
	_, pointer := types.Unalias(t).(*types.Pointer)
	return !pointer && isServer(t)
}

// find collects the servers in the order of the source.
func (s *serverSet) find() {
	for _, f := range s.Files {
		if isTest(s.Pass, f.FileStart) {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if flow.IsType(s.TypesInfo.TypeOf(n), "net/http/httptest", "Server") {
					return false
				}
				if isServerValue(s.TypesInfo.TypeOf(n)) {
					s.add(&server{at: n, key: ast.Expr(n), made: "this server", literal: n})
				}
			case *ast.CallExpr:
				s.call(n)
			case *ast.AssignStmt:
				s.copies(n.Lhs, n.Rhs)
			case *ast.ValueSpec:
				var left []ast.Expr
				for _, id := range n.Names {
					left = append(left, id)
				}
				s.copies(left, n.Values)
				for _, id := range n.Names {
					if o, ok := s.TypesInfo.Defs[id].(*types.Var); ok && len(s.Given(o)) == 0 && isServerValue(o.Type()) {
						s.add(&server{at: id, key: o, made: "server " + id.Name})
					}
				}
			case *ast.StructType:
				s.fields(n)
			}
			return true
		})
	}
	s.values()
	for _, srv := range s.servers { // a copy comes after what it is of
		s.fill(srv)
	}
}

func (s *serverSet) add(srv *server) { s.servers = append(s.servers, srv) }

func (s *serverSet) call(n *ast.CallExpr) {
	if id, ok := ast.Unparen(n.Fun).(*ast.Ident); ok && id.Name == "new" && len(n.Args) == 1 && isServerValue(s.TypesInfo.TypeOf(n.Args[0])) {
		s.add(&server{at: n, key: ast.Expr(n), made: "this server"})
		return
	}
	fn := s.Callee(n)
	if fn == nil || fn.Pkg() == nil {
		return
	}
	if isBare(fn) {
		s.bareCall(n, fn)
		return
	}
	var made returnsServer
	if fn.Pkg() != s.Pkg && s.ImportObjectFact(fn, &made) {
		s.add(&server{at: n, key: ast.Expr(n), made: "the server that " + funcName(fn) + " returns", waits: made.Waits})
	}
}

func isBare(fn *types.Func) bool {
	_, ok := bareCalls[fn.Name()]
	return ok && flow.Is(fn, netHTTP, fn.Name())
}

func (s *serverSet) bareCall(n *ast.CallExpr, fn *types.Func) {
	srv := &server{at: n, key: ast.Expr(n), made: "http." + fn.Name(), bare: fn, call: n}
	if addr := bareCalls[fn.Name()]; addr >= 0 && addr < len(n.Args) {
		srv.addr = s.Origins(flow.Value{Expr: n.Args[addr]})
	}
	s.add(srv)
}

// values finds the functions of net/http that serve without a server where they are no
// call's: what calls them by another name, and where nothing here does, who else is given
// them.
func (s *serverSet) values() {
	taken := make(map[*ast.Ident]*types.Func) // the uses that are left
	for id, o := range s.TypesInfo.Uses {
		if fn, ok := o.(*types.Func); ok && isBare(fn) && !isTest(s.Pass, id.Pos()) {
			taken[id] = fn
		}
	}
	if len(taken) == 0 {
		return
	}
	var by []*ast.CallExpr // of values
	for _, call := range s.Calls {
		if s.Callee(call) == nil && isBareType(s.TypesInfo.TypeOf(call.Fun)) && !isTest(s.Pass, call.Pos()) {
			by = append(by, call)
		} else if id := named(call.Fun); id != nil {
			delete(taken, id)
		}
	}
	if len(taken) == 0 {
		return
	}
	for _, call := range by {
		for _, o := range s.Origins(flow.Value{Expr: call.Fun}) {
			if id := named(o.Expr); id != nil && isBareUse(s.TypesInfo, id) {
				s.bareCall(call, s.TypesInfo.Uses[id].(*types.Func))
				delete(taken, id)
				break
			}
		}
	}
	for _, call := range s.Calls {
		if fn := s.Callee(call); fn != nil && s.Decl(fn) != nil {
			continue
		}
		for _, arg := range call.Args { // that others are given
			if id := named(arg); id != nil && taken[id] != nil {
				s.add(&server{at: id, key: ast.Expr(id), made: "http." + taken[id].Name(), bare: taken[id]})
			}
		}
	}
}

func isBareUse(info *types.Info, id *ast.Ident) bool {
	fn, ok := info.Uses[id].(*types.Func)
	return ok && isBare(fn)
}

// isBareType tells the types of those functions.
func isBareType(t types.Type) bool {
	sig, ok := types.Unalias(t).Underlying().(*types.Signature)
	return ok && slices.ContainsFunc(slices.Collect(sig.Params().Variables()), func(v *types.Var) bool {
		return flow.IsType(v.Type(), netHTTP, "Handler")
	})
}

// named is the identifier that names a function, with its package or without; nil for
// anything else.
func named(e ast.Expr) *ast.Ident {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return e.Sel
	}
	return nil
}

// copies finds the copies of servers that are then given timeouts of their own.
func (s *serverSet) copies(left, right []ast.Expr) {
	if len(left) != len(right) {
		return
	}
	for i, r := range right {
		id, ok := ast.Unparen(left[i]).(*ast.Ident)
		if !ok || !isServerValue(s.TypesInfo.TypeOf(r)) {
			continue
		}
		switch ast.Unparen(r).(type) {
		case *ast.CompositeLit, *ast.CallExpr:
			continue
		}
		o, ok := s.TypesInfo.ObjectOf(id).(*types.Var)
		if !ok || !slices.ContainsFunc(s.Stores, func(store flow.Store) bool { return isServerField(store.Field) && s.into(store) == o }) {
			continue
		}
		s.copied[o] = true
		s.add(&server{at: id, key: o, made: "server " + id.Name + ", a copy of " + types.ExprString(r) + ",", copied: r})
	}
}

// into is the variable that a store is into by its name, whatever that was copied from.
func (s *serverSet) into(store flow.Store) *types.Var {
	if store.Through != nil {
		return nil
	}
	o, _ := s.Key(flow.Value{Expr: bare(store.Base)}).(*types.Var)
	return o
}

// fields finds the fields of structs that are servers by themselves, and that nobody
// fills with one.
func (s *serverSet) fields(n *ast.StructType) {
	s.Fields(n, func(f *ast.Field, o *types.Var) {
		if isServerValue(o.Type()) && len(s.Given(o)) == 0 {
			s.add(&server{at: f, key: o, made: "the server in field " + o.Name()})
		}
	})
}

// fill works out the waits of a server from all that is stored in it.
func (s *serverSet) fill(srv *server) {
	waits := make(map[string]wait)
	for k, w := range srv.waits {
		waits[k] = w
	}
	srv.waits = waits
	given := make(map[string]bool) // what a copy has of its own
	for _, store := range s.Stores {
		if !isServerField(store.Field) {
			continue
		}
		if o := s.into(store); s.copied[o] {
			if o != srv.key {
				continue
			}
			given[store.Field.Name()] = true
		} else if !s.Keys(store)[srv.key] {
			continue
		}
		if store.Field.Name() == "Addr" {
			srv.addr = append(srv.addr, s.Origins(store.Value)...)
		} else if isWait(store.Field.Name()) {
			waits[store.Field.Name()] = waits[store.Field.Name()].or(waitOf(s.Index, store.Value))
		}
	}
	if srv.copied != nil {
		s.inherit(srv, given)
	}
	for _, call := range s.Calls {
		fn := s.Callee(call)
		if fn == nil || fn.Pkg() == nil || fn.Pkg() == s.Pkg || fn.Pkg().Path() == netHTTP {
			continue
		}
		for i, arg := range call.Args {
			if !isServer(s.TypesInfo.TypeOf(arg)) || !s.mayBe(arg, srv.key) {
				continue
			}
			var sets setsServer
			if s.ImportObjectFact(fn, &sets) && sets.Param == i {
				for name, w := range sets.Waits {
					waits[name] = waits[name].or(w)
				}
			} else if !passive[fn.Pkg().Path()] {
				srv.escapes = funcName(fn)
			}
		}
	}
}

// inherit gives a copy what the servers have that it may be of, but for what it is given.
func (s *serverSet) inherit(srv *server, given map[string]bool) {
	known := false
	for _, from := range s.servers {
		if from == srv || !s.mayBe(srv.copied, from.key) {
			continue
		}
		known = true
		for name, w := range from.waits {
			if !given[name] {
				srv.waits[name] = srv.waits[name].or(w)
			}
		}
		if !given["Addr"] {
			srv.addr = append(srv.addr, from.addr...)
		}
		if from.escapes != "" {
			srv.escapes = from.escapes
		}
	}
	for _, name := range []string{"ReadHeaderTimeout", "ReadTimeout", "IdleTimeout"} {
		if !known && !given[name] {
			srv.waits[name] = wait{Set: true} // nobody knows
		}
	}
}

// passive are packages that take a server and leave its timeouts alone.
var passive = map[string]bool{
	"fmt": true, "log": true, "reflect": true,
	"golang.org/x/net/http2": true, // ConfigureServer reads them
}

func (s *serverSet) mayBe(e ast.Expr, key any) bool {
	return slices.ContainsFunc(s.Origins(flow.Value{Expr: e}), func(v flow.Value) bool { return s.Key(v) == key })
}

func isServerField(f *types.Var) bool {
	return f.IsField() && f.Pkg() != nil && f.Pkg().Path() == netHTTP && (isWait(f.Name()) || f.Name() == "Addr")
}

func isWait(name string) bool {
	return name == "ReadHeaderTimeout" || name == "ReadTimeout" || name == "IdleTimeout"
}

// or is a wait that may be this or the other.
func (w wait) or(other wait) wait {
	if !w.Set {
		return other
	}
	return wait{true, w.Known && other.Known, max(w.Most, other.Most), min(w.Least, other.Least)}
}

// waitOf is what a value comes to as a duration.
func waitOf(x *flow.Index, v flow.Value) wait {
	out := wait{}
	for _, o := range x.Origins(v) {
		d, known := durationOf(x.Info, o.Expr)
		out = out.or(wait{true, known, d, d})
	}
	if !out.Set {
		return wait{Set: true}
	}
	return out
}

func durationOf(info *types.Info, e ast.Expr) (time.Duration, bool) {
	tv := info.Types[e]
	if tv.Value == nil {
		return 0, false
	}
	n, ok := constant.Int64Val(constant.ToInt(tv.Value))
	return time.Duration(n), ok
}

// zero tells that the program says nothing of it, or that it is nought.
func (w wait) zero() bool { return !w.Set || w.Known && w.Most == 0 && w.Least == 0 }

// effective is the wait by which net/http goes: ReadTimeout stands in where the other one
// is zero. It names the field that counts.
// https://pkg.go.dev/net/http#Server
func (srv *server) effective(field string) (string, wait) {
	if w := srv.waits[field]; !w.zero() {
		return field, w
	}
	return "ReadTimeout", srv.waits["ReadTimeout"]
}

// local tells that all addresses that it may have are of the machine itself.
func (s *serverSet) local(srv *server) bool {
	return len(srv.addr) > 0 && !slices.ContainsFunc(srv.addr, func(v flow.Value) bool {
		tv := s.TypesInfo.Types[v.Expr]
		return tv.Value == nil || tv.Value.Kind() != constant.String || !loopback(constant.StringVal(tv.Value))
	})
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// lacks says what is wrong with the wait of a field, for people; empty if nothing is.
func (srv *server) lacks(field string, least, most time.Duration) string {
	by, w := srv.effective(field)
	switch {
	case w.zero():
		if srv.waits[field].Set {
			return fmt.Sprintf("%s is 0, which means none, and there is no ReadTimeout to stand in for it", field)
		}
		return "no " + field
	case !w.Known:
		return ""
	case w.Most < 0:
		return fmt.Sprintf("%s is %v, and a negative one means none", by, w.Most)
	case w.Most == 0:
		return fmt.Sprintf("%s is 0, which means none", by)
	case w.Most > most:
		return fmt.Sprintf("%s is %v, which is too long to end a wait: %v is the most that makes sense", by, w.Most, most)
	case w.Most < least:
		return fmt.Sprintf("%s is %v, in which no client can be served: %v is the least that makes sense", by, w.Most, least)
	}
	return ""
}

// funcName is what people call a function of another package: pkg.Func, or
// pkg.Type.Method.
func funcName(fn *types.Func) string {
	name := fn.Name()
	if r := fn.Signature().Recv(); r != nil {
		t := r.Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		if named, ok := t.(*types.Named); ok {
			name = named.Obj().Name() + "." + name
		}
	}
	return fn.Pkg().Name() + "." + name
}
