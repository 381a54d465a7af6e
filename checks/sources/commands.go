package sources

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"temper/checks/pattern"
)

// commandLine matches the paths of packages that make command lines of functions.
var commandLine = pattern.New(`^(github\.com/(spf13/cobra|urfave/cli|alecthomas/kong|alecthomas/kingpin|traefik/paerser/cli|mitchellh/cli|hashicorp/cli|google/subcommands|peterbourgon/ff(/v\d+)?/ffcli)|gopkg\.in/alecthomas/kingpin)([./]v\d+)?$`)

// A commands tells what of a package runs as a command that a person starts and waits for,
// and can end at any time: what is asked there without a timeout, or kept open after it,
// holds nobody else.
type commands struct {
	*pass
	// are tells that the package is about commands: it imports what makes command lines of
	// functions, and serves nothing.
	are bool
}

func (p *pass) commands() *commands {
	imports := slices.ContainsFunc(p.Pkg.Imports(), func(i *types.Package) bool { return commandLine().MatchString(i.Path()) })
	return &commands{p, imports && !p.mentions(serving) && len(placesOf(p.sites.made, netHTTP, "Server")) == 0}
}

// serving tells the functions by which a package serves others.
func serving(name string) bool {
	for _, prefix := range []string{"net/http.ListenAndServe", "net/http.Serve", "(*net/http.Server).", "(*google.golang.org/grpc.Server).", "google.golang.org/grpc.NewServer"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// run tells that all that leads to a node in the package are commands, each time once: no
// goroutine, no loop without end, and nothing that somebody else calls.
func (c *commands) run(at ast.Node) bool {
	if !c.are {
		return false
	}
	found, ok := c.in.Root().FindNode(at)
	return ok && c.runs(found, make(map[types.Object]bool))
}

// runs looks from the inside of a function outward.
func (c *commands) runs(at inspector.Cursor, seen map[types.Object]bool) bool {
	for from, up := at, at.Parent(); up.Node() != nil; from, up = up, up.Parent() {
		switch n := up.Node().(type) {
		case *ast.GoStmt:
			return false
		case *ast.ForStmt:
			if n.Cond == nil {
				return false
			}
		case *ast.RangeStmt:
			if _, waits := c.TypesInfo.TypeOf(n.X).Underlying().(*types.Chan); waits {
				return false
			}
		case *ast.FuncLit:
			if call, ok := up.Parent().Node().(*ast.CallExpr); ok && call.Fun == n {
				continue // it is called where it stands
			}
			return !takesWriter(c.TypesInfo.TypeOf(n).(*types.Signature)) && c.given(up, seen)
		case *ast.FuncDecl:
			if from.Node() != ast.Node(n.Body) {
				return false
			}
			return c.function(n, seen, c.runs)
		}
	}
	return false
}

// function tells that what leads to a declared function are commands, by its uses; called
// looks at the calls.
func (c *commands) function(d *ast.FuncDecl, seen map[types.Object]bool, called func(inspector.Cursor, map[types.Object]bool) bool) bool {
	fn, ok := c.TypesInfo.Defs[d.Name].(*types.Func)
	switch {
	case !ok || takesWriter(fn.Signature()):
		return false
	case fn.Signature().Recv() == nil && c.Pkg.Name() == "main" && fn.Name() == "main", seen[fn]: // of itself, the others decide
		return true
	}
	seen[fn] = true
	uses, all := 0, true
	eachAt(c.pass, func(n *ast.Ident, at inspector.Cursor) {
		used, ok := c.TypesInfo.Uses[n].(*types.Func)
		if !ok || used.Origin() != fn || !all {
			return
		}
		uses++
		if _, ok := at.Parent().Node().(*ast.SelectorExpr); ok {
			at = at.Parent()
		}
		if call, ok := at.Parent().Node().(*ast.CallExpr); ok && call.Fun == at.Node() {
			all = called(at.Parent(), seen)
		} else {
			all = c.given(at, seen)
		}
	})
	return uses > 0 && all
}

// given tells that a function is given to a command line and nobody else, where it is a
// value.
func (c *commands) given(at inspector.Cursor, seen map[types.Object]bool) bool {
	switch n := at.Parent().Node().(type) {
	case *ast.ParenExpr:
		return c.given(at.Parent(), seen)
	case *ast.KeyValueExpr:
		lit, ok := at.Parent().Parent().Node().(*ast.CompositeLit)
		return ok && c.ofCommandLine(made(c.TypesInfo.TypeOf(lit)), 2)
	case *ast.AssignStmt:
		i := slices.Index(n.Rhs, at.Node().(ast.Expr))
		if n.Tok != token.ASSIGN || i < 0 || len(n.Lhs) != len(n.Rhs) {
			return false
		}
		sel, ok := ast.Unparen(n.Lhs[i]).(*ast.SelectorExpr)
		return ok && c.ofCommandLine(made(c.fieldOf(sel)), 2)
	case *ast.CallExpr:
		return n.Fun != at.Node() && c.ofCommandLine(c.TypesInfo.TypeOf(n.Fun), 2)
	case *ast.ReturnStmt:
		for range at.Parent().Enclosing((*ast.FuncLit)(nil)) {
			return false // by a literal, and whoever calls that
		}
		d, ok := enclosingFunction(at).(*ast.FuncDecl)
		return ok && c.function(d, seen, c.given)
	}
	return false
}

// ofCommandLine tells a type of a package that makes command lines, or one that is about
// such a type: a function, or a struct that the package has of its own.
func (c *commands) ofCommandLine(t types.Type, deep int) bool {
	if t == nil || deep < 0 {
		return false
	}
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		if of := t.Obj().Pkg(); of != nil && commandLine().MatchString(of.Path()) {
			return true
		}
		if t.Obj().Pkg() == c.Pkg {
			return c.ofCommandLine(t.Underlying(), deep)
		}
	case *types.Pointer:
		return c.ofCommandLine(t.Elem(), deep)
	case *types.Signature:
		for _, list := range []*types.Tuple{t.Params(), t.Results()} {
			for v := range list.Variables() {
				if c.ofCommandLine(v.Type(), deep-1) {
					return true
				}
			}
		}
	case *types.Struct:
		for f := range t.Fields() {
			if c.ofCommandLine(f.Type(), deep-1) {
				return true
			}
		}
	}
	return false
}
