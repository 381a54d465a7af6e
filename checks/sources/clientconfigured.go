package sources

import (
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"reflect"
	"slices"

	"temper/checks/pattern"
	"temper/checks/sources/flow"
)

// settings are packages whose functions and methods tell how a service is set up.
var settings = []string{"flag", "os", "github.com/spf13/pflag", "github.com/spf13/viper", "github.com/urfave/cli", "github.com/urfave/cli/v2", "github.com/urfave/cli/v3", "github.com/alecthomas/kingpin/v2", "gopkg.in/alecthomas/kingpin.v2"}

// isSettings tells the names of packages and types that hold how a service is set up.
func isSettings(name string) bool { return settingsName().MatchString(name) }

var settingsName = pattern.New(`(?i)(^|[a-z0-9_])(config|configs|configuration|conf|cfg|flags)$|^(options|opts|settings|env)$`)

// settingTags are those of fields that a configuration is read into, and no request.
var settingTags = []string{"yaml", "toml", "hcl", "mapstructure", "env", "envconfig", "koanf", "ini", "flag", "arg", "long"}

// configured tells a field of a configuration, or of what is in one, unless a request
// fills it.
func (s *clientSet) configured(e *ast.SelectorExpr) bool {
	found := false
	for at := ast.Expr(e); at != nil; {
		switch x := ast.Unparen(at).(type) {
		case *ast.SelectorExpr:
			sel := s.TypesInfo.Selections[x]
			if sel == nil {
				at = nil
				break
			}
			if sel.Kind() != types.FieldVal {
				return false
			}
			owner, tag := ownerOf(sel)
			if s.ofRequest(owner, sel.Obj().(*types.Var).Origin()) {
				return false
			}
			found = found || s.fromElsewhere(sel.Obj().(*types.Var).Origin()) || isConfiguration(owner) || slices.ContainsFunc(settingTags, func(key string) bool { _, ok := reflect.StructTag(tag).Lookup(key); return ok })
			at = x.X
		case *ast.IndexExpr:
			at = x.X
		case *ast.StarExpr:
			at = x.X
		default:
			at = nil
		}
	}
	return found
}

// fromElsewhere tells a field that another package fills from a configuration, and this one
// with nothing else.
func (s *clientSet) fromElsewhere(field *types.Var) bool {
	return field.Pkg() != s.Pkg && s.ImportObjectFact(field, new(byConfiguration)) && s.worst(s.Given(field)) <= byOperator
}

// ownerOf is the named type that declares a selected field, nil for one without a name,
// and the tag of the field.
func ownerOf(sel *types.Selection) (owner *types.Named, tag string) {
	t := sel.Recv()
	for _, i := range sel.Index() {
		st, ok := deref(t).Underlying().(*types.Struct)
		if !ok {
			return nil, ""
		}
		owner, _ = types.Unalias(deref(t)).(*types.Named)
		tag, t = st.Tag(i), st.Field(i).Type()
	}
	return owner, tag
}

// isConfiguration tells the types of configurations: by their name or that of their
// package, or as modules of Caddy are, which it fills from its own.
func isConfiguration(t *types.Named) bool {
	if t == nil || t.Obj().Pkg() == nil {
		return false
	}
	module, _, _ := types.LookupFieldOrMethod(t, true, t.Obj().Pkg(), "CaddyModule")
	return isSettings(t.Obj().Name()) || isSettings(t.Obj().Pkg().Name()) || isSettings(path.Base(t.Obj().Pkg().Path())) || module != nil
}

// byConfiguration is the fact of a field that its package fills from a configuration alone.
type byConfiguration struct{ Operator bool }

func (*byConfiguration) AFact()         {}
func (*byConfiguration) String() string { return "is filled from a configuration" }

// addresses matches the names of fields that say where somebody is.
var addresses = pattern.New(`(?i)(ur[li]|host|addr|address|endpoint|server|target)$`)

// stateConfigured notes the fields that others may see and that a configuration fills.
func (s *clientSet) stateConfigured(t *ast.TypeSpec) {
	st, ok := t.Type.(*ast.StructType)
	if !ok || !t.Name.IsExported() {
		return
	}
	s.Fields(st, func(_ *ast.Field, o *types.Var) {
		if o.Exported() && addresses().MatchString(o.Name()) && s.worst(s.Given(o)) == byOperator {
			s.ExportObjectFact(o, &byConfiguration{true})
		}
	})
}

// worst is who decides the hosts of several URLs.
func (s *clientSet) worst(urls []flow.Value) (worst urlSource) {
	for _, v := range urls {
		worst = max(worst, s.chosen(v))
	}
	return worst
}

// filled tells a field that a request fills.
func (s *clientSet) filled(e *ast.SelectorExpr) bool {
	sel := s.TypesInfo.Selections[e]
	if sel == nil || sel.Kind() != types.FieldVal {
		return false
	}
	owner, _ := ownerOf(sel)
	return s.ofRequest(owner, sel.Obj().(*types.Var).Origin())
}

// ofRequest tells that a request says what is in a field: it is stored there, or the type
// is decoded from one.
func (s *clientSet) ofRequest(owner *types.Named, field *types.Var) bool {
	for _, v := range s.Given(field) {
		if s.mentionsRequest(v.Expr) {
			return true
		}
	}
	return owner != nil && s.decoded()[owner.Origin()]
}

func (s *clientSet) mentionsRequest(e ast.Expr) (mentions bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			mentions = mentions || flow.IsType(s.TypesInfo.TypeOf(e), netHTTP, "Request")
		}
		return !mentions
	})
	return mentions
}

// decoders are the functions and methods that fill their last argument with what
// somebody sends.
var decoders = []string{"Decode", "Unmarshal", "Bind", "BindJSON", "ShouldBind", "ShouldBindJSON", "ReadJSON", "DecodeJSON", "BodyParser"}

// decodes are the types that the package decodes from requests.
func (s *clientSet) decodes() map[*types.Named]bool {
	found := make(map[*types.Named]bool)
	for _, call := range s.Calls {
		fn := s.Callee(call)
		if fn == nil || len(call.Args) == 0 || !slices.Contains(decoders, fn.Name()) {
			continue
		}
		from := call.Args[:len(call.Args)-1]
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && fn.Signature().Recv() != nil {
			from = append(from[:len(from):len(from)], sel.X)
		}
		request := !slices.Contains(decoders[:2], fn.Name()) // the context of a router
		for _, e := range from {
			request = request || s.mentionsRequest(e)
			for _, o := range s.Origins(flow.Value{Expr: e}) {
				request = request || s.mentionsRequest(o.Expr)
			}
		}
		if named, ok := types.Unalias(deref(s.TypesInfo.TypeOf(call.Args[len(call.Args)-1]))).(*types.Named); ok && request {
			found[named.Origin()] = true
		}
	}
	return found
}

// flagged are the variables that a flag or the environment is read into.
func (s *clientSet) flagged() map[*types.Var]bool {
	found := make(map[*types.Var]bool)
	for _, call := range s.Calls {
		fn := s.Callee(call)
		if fn == nil || fn.Pkg() == nil || len(call.Args) == 0 || !slices.Contains(settings, fn.Pkg().Path()) {
			continue
		}
		to, ok := ast.Unparen(call.Args[0]).(*ast.UnaryExpr)
		if !ok || to.Op != token.AND {
			continue
		}
		if o, ok := s.Key(flow.Value{Expr: to.X}).(*types.Var); ok {
			found[o] = true
		}
	}
	return found
}
