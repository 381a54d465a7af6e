package sources

import (
	"go/ast"
	"go/types"
	"slices"

	"temper/checks/sources/flow"
)

// returnsClient is the fact of a function that one of its results is a client which is
// made there.
type returnsClient struct {
	// Blind tells that nothing checks where it is redirected to, and Endless that it
	// has no timeout.
	Blind, Endless bool
	// Credentials names the transport that adds some to every request, empty if none
	// does.
	Credentials string
}

func (*returnsClient) AFact()         {}
func (*returnsClient) String() string { return "returns a client" }

// setsClient is the fact of a function that it sets these fields of the client that is
// its parameter of that index.
type setsClient struct {
	Param  int
	Fields []string
}

func (*setsClient) AFact()         {}
func (*setsClient) String() string { return "sets the fields of a client" }

// clientFields is the fact of a package that it sets these fields of clients that are
// made elsewhere.
type clientFields struct{ Set []string }

func (*clientFields) AFact()         {}
func (*clientFields) String() string { return "sets fields of clients" }

// addsCredentials is the fact of a type that it is a transport which adds a credential,
// in the header of that name, to every request.
type addsCredentials struct{ Header string }

func (*addsCredentials) AFact()         {}
func (*addsCredentials) String() string { return "adds credentials to every request" }

// state tells others of what functions do with clients.
func (s *clientSet) state() {
	s.stateFields()
	s.stateAsks()
	for _, f := range s.Files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if fn, ok := s.TypesInfo.Defs[d.Name].(*types.Func); ok && fn.Exported() && d.Body != nil {
					s.stateReturns(fn, d)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok {
						s.stateTransport(t)
						s.stateConfigured(t)
					}
				}
			}
		}
	}
}

// stateFields notes the stores into clients that come from elsewhere.
func (s *clientSet) stateFields() {
	var all clientFields
	for _, store := range s.Stores {
		if !s.isField(store) {
			continue
		}
		for key := range s.Keys(store) {
			if s.by[key] != nil {
				continue
			}
			all.Set = append(all.Set, store.Field.Name())
			o, ok := key.(*types.Var)
			if !ok {
				continue
			}
			if fn, index, ok := s.Param(o); ok && index >= 0 {
				sets := setsClient{Param: index}
				s.ImportObjectFact(fn, &sets)
				if sets.Param == index && !slices.Contains(sets.Fields, store.Field.Name()) {
					sets.Fields = append(slices.Clone(sets.Fields), store.Field.Name())
					s.ExportObjectFact(fn, &sets)
				}
			}
		}
	}
	slices.Sort(all.Set)
	all.Set = slices.Compact(all.Set)
	s.ExportPackageFact(&all)
}

// stateReturns notes that a function returns a client, and nothing else than clients
// that are known.
func (s *clientSet) stateReturns(fn *types.Func, d *ast.FuncDecl) {
	results := fn.Signature().Results()
	for i := range results.Len() {
		if !isClient(results.At(i).Type()) {
			continue
		}
		var made []*client
		for _, r := range s.Returns(flow.Body{Func: fn, Type: d.Type, Block: d.Body}, i) {
			if s.TypesInfo.Types[r.Expr].IsNil() {
				continue
			}
			found, all := s.keysOf(r.Expr)
			if !all {
				return
			}
			made = append(made, found...)
		}
		if len(made) == 0 {
			return
		}
		fact := returnsClient{Blind: true, Endless: true, Credentials: s.credentials(made[0])}
		for _, c := range made {
			policy, _ := s.policy(c)
			fact.Blind = fact.Blind && policy != checked && c.escapes == ""
			fact.Endless = fact.Endless && s.timeout(c).zero() && c.escapes == ""
			if s.credentials(c) == "" {
				fact.Credentials = ""
			}
		}
		s.ExportObjectFact(fn, &fact)
	}
}

// returned is what is known of the client that a call of another package's function
// returns, nil if it returns none or nothing is known.
func (s *clientSet) returned(fn *types.Func, call *ast.CallExpr) *returnsClient {
	results := fn.Signature().Results()
	if !slices.ContainsFunc(slices.Collect(results.Variables()), func(v *types.Var) bool { return isClient(v.Type()) }) {
		return nil
	}
	if s.oauth2(fn, call) {
		return &returnsClient{Blind: true, Endless: true, Credentials: "oauth2.Transport"}
	}
	var made returnsClient
	if s.ImportObjectFact(fn, &made) {
		return &made
	}
	return nil
}

// oauth2 tells that a call makes a client of golang.org/x/oauth2 of nothing else than
// defaults: one that is in the context would give it its fields.
// https://pkg.go.dev/golang.org/x/oauth2#NewClient
func (s *clientSet) oauth2(fn *types.Func, call *ast.CallExpr) bool {
	const path = "golang.org/x/oauth2"
	makes := flow.Is(fn, path, "NewClient", "Config.Client") || flow.Is(fn, path+"/clientcredentials", "Config.Client") ||
		flow.Is(fn, path+"/jwt", "Config.Client") || flow.Is(fn, path+"/google", "DefaultClient")
	return makes && len(call.Args) > 0 && s.bareContext(call.Args[0])
}

// bareContext tells that a context carries no values for certain.
func (s *clientSet) bareContext(ctx ast.Expr) bool {
	for _, o := range s.Origins(flow.Value{Expr: ctx}) {
		call, ok := o.Expr.(*ast.CallExpr)
		switch {
		case !ok:
			return false
		case s.IsFunc(call, "context", "Background", "TODO"):
		case s.IsFunc(call, "context", "WithCancel", "WithCancelCause", "WithTimeout", "WithDeadline", "WithoutCancel"), s.IsFunc(call, "os/signal", "NotifyContext"):
			if !s.bareContext(call.Args[0]) {
				return false
			}
		default:
			return false
		}
	}
	return true
}
