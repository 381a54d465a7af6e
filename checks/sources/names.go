package sources

import (
	"go/types"
	"reflect"

	"golang.org/x/tools/go/analysis"
)

// functionNames are the full names of all functions that a package mentions. Many rules
// ask of each call whom it calls, and to write the same names again for each of them took
// as long as some of the rules.
var functionNames = &analysis.Analyzer{
	Name:       "functionnames",
	Doc:        "the full names of functions that a package mentions",
	ResultType: reflect.TypeFor[map[*types.Func]string](),
	Run: func(p *analysis.Pass) (any, error) {
		names := make(map[*types.Func]string)
		for _, used := range p.TypesInfo.Uses {
			fn, ok := used.(*types.Func)
			if !ok {
				continue
			}
			if fn = fn.Origin(); names[fn] == "" {
				names[fn] = fn.FullName()
			}
		}
		return names, nil
	},
}

// fullName is the full name of a function, such as net/http.SetCookie or
// (*net/http.Request).FormValue.
func (p *pass) fullName(fn *types.Func) string {
	if name, ok := p.names[fn]; ok {
		return name
	}
	return fn.FullName()
}
