package handlers

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"temper/checks/sources/flow"
)

// health are the words by which endpoints are called that a kubelet or a collector of
// metrics asks, by the address of a pod, wherever in a path they come last. The words in
// lone mean that only where they are all of it: /orders/7/status is something else.
var (
	health = []string{
		"healthz", "livez", "readyz", "startupz", "health", "ready", "live", "readiness", "liveness", "healthcheck", "health-check", "health_check",
	}
	lone = []string{"metrics", "status", "statusz", "ping", "alive", "startup", "heartbeat", "up"}
)

// IsHealth tells whether a path is one that a kubelet or a collector of metrics asks.
func IsHealth(path string) bool {
	parts := strings.Split(strings.Trim(strings.ToLower(path), "/"), "/")
	first, last := parts[0], parts[len(parts)-1]
	switch {
	case first == "debug", first == "-": // of pprof and expvar, and of Prometheus
		return len(parts) > 1
	case slices.Contains(health, last), len(parts) == 1 && slices.Contains(lone, first):
		return true
	}
	return slices.Contains(health[:5], first) // livez/ping
}

// A pathKind is what conditions around a statement say of the path.
type pathKind int

const (
	anyPath pathKind = iota
	somePath
	healthPath
)

// onPath says for which paths the node runs that is looked at.
func (a *answer) onPath() pathKind {
	kind := anyPath
	for i, n := range a.paths {
		var inside ast.Node
		if i+1 < len(a.paths) {
			inside = a.paths[i+1]
		}
		var k pathKind
		switch n := n.(type) {
		case *ast.IfStmt:
			if inside == n.Body {
				k = a.pathOf(n.Cond)
			}
		case *ast.CaseClause:
			k = a.clause(n, i)
		}
		kind = max(kind, k)
	}
	return kind
}

// clause is what the case of a switch says of the path.
func (a *answer) clause(n *ast.CaseClause, i int) pathKind {
	if i < 2 || len(n.List) == 0 {
		return anyPath
	}
	sw, ok := a.paths[i-2].(*ast.SwitchStmt)
	if !ok {
		return anyPath
	}
	kind := healthPath
	for _, e := range n.List {
		var k pathKind
		if sw.Tag == nil {
			k = a.pathOf(e)
		} else if a.isPath(sw.Tag) {
			k = a.pathConstant(e)
		}
		kind = min(kind, k)
	}
	return kind
}

// pathOf is what a condition says of the path.
func (a *answer) pathOf(cond ast.Expr) pathKind {
	switch e := ast.Unparen(cond).(type) {
	case *ast.BinaryExpr:
		switch {
		case e.Op == token.LOR:
			return min(a.pathOf(e.X), a.pathOf(e.Y))
		case e.Op == token.LAND:
			return max(a.pathOf(e.X), a.pathOf(e.Y))
		case e.Op == token.EQL && a.isPath(e.X):
			return a.pathConstant(e.Y)
		case e.Op == token.EQL && a.isPath(e.Y):
			return a.pathConstant(e.X)
		}
	case *ast.CallExpr:
		if a.c.x.IsFunc(e, "strings", "HasPrefix") && len(e.Args) == 2 && a.isPath(e.Args[0]) {
			return a.pathConstant(e.Args[1])
		}
	}
	return anyPath
}

func (a *answer) pathConstant(e ast.Expr) pathKind {
	values, known := a.c.strings(a.value(e), 0)
	if !known || slices.ContainsFunc(values, func(p string) bool { return !IsHealth(p) }) {
		return somePath
	}
	return healthPath
}

// isPath tells r.URL.Path, or a variable that holds it.
func (a *answer) isPath(e ast.Expr) bool { return a.isPathBehind(e, 5) }

// isPathBehind looks through so many calls.
func (a *answer) isPathBehind(e ast.Expr, calls int) bool {
	at := pathBehind{a.value(e), calls}
	is, known := a.c.pathsBehind[at]
	if !known {
		is = a.findsPath(e, calls)
		a.c.pathsBehind[at] = is
	}
	return is
}

// A pathBehind is an expression that is looked at through so many calls.
type pathBehind struct {
	flow.Value
	calls int
}

func (a *answer) findsPath(e ast.Expr, calls int) bool {
	for _, o := range a.c.x.Origins(a.value(e)) {
		call, ok := o.Expr.(*ast.CallExpr)
		if ok && len(call.Args) > 0 && calls > 0 { // of strings.TrimSuffix and such
			return a.isPathBehind(call.Args[0], calls-1)
		}
		sel, ok := o.Expr.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Path" && sel.Sel.Name != "RequestURI" {
			return false
		}
		if t := a.c.TypesInfo.TypeOf(sel.X); !flow.IsType(t, "net/url", "URL") && !isRequest(t) {
			return false
		}
	}
	return true
}

// patternPath is the path of a pattern of a mux, and its host.
// https://pkg.go.dev/net/http#hdr-Patterns-ServeMux
func patternPath(pattern string) (host, path string) {
	if method, rest, ok := strings.Cut(pattern, " "); ok && method == strings.ToUpper(method) {
		pattern = strings.TrimLeft(rest, " \t")
	}
	i := strings.IndexByte(pattern, '/')
	if i < 0 {
		return "", pattern
	}
	return pattern[:i], strings.TrimSuffix(pattern[i:], "{$}")
}
