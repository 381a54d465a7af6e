package sources

import (
	"go/types"
	"reflect"
	"sync"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/types/objectpath"
)

// packageFacts are what the analyzers have said about a package and about what it
// declares, for those that import it.
type packageFacts struct {
	// objects holds them while the package is looked at, and paths what others can
	// refer to.
	objects map[objectFact]analysis.Fact
	paths   map[pathFact]analysis.Fact
	pkg     map[reflect.Type]analysis.Fact
	encoder objectpath.Encoder
	// Analyzers that do not need one another run at once.
	sync.Mutex
}

type objectFact struct {
	object types.Object
	kind   reflect.Type
}

type pathFact struct {
	path objectpath.Path
	kind reflect.Type
}

func newPackageFacts() *packageFacts {
	return &packageFacts{
		objects: make(map[objectFact]analysis.Fact), paths: make(map[pathFact]analysis.Fact),
		pkg: make(map[reflect.Type]analysis.Fact),
	}
}

// give lets an analyzer ask for facts and state them.
func (s *seen) give(p *analysis.Pass) {
	own := s.facts
	fill := func(into analysis.Fact, from analysis.Fact, ok bool) bool {
		if ok {
			reflect.ValueOf(into).Elem().Set(reflect.ValueOf(from).Elem())
		}
		return ok
	}
	var encoder objectpath.Encoder
	p.ImportObjectFact = func(o types.Object, into analysis.Fact) bool {
		kind := reflect.TypeOf(into)
		if o == nil || o.Pkg() == nil {
			return false
		}
		if o.Pkg() == p.Pkg {
			own.Lock()
			f, ok := own.objects[objectFact{o, kind}]
			own.Unlock()
			return fill(into, f, ok)
		}
		facts := s.below[o.Pkg().Path()]
		if facts == nil || len(facts.paths) == 0 {
			return false
		}
		path, err := encoder.For(o)
		if err != nil {
			return false
		}
		f, ok := facts.paths[pathFact{path, kind}]
		return fill(into, f, ok)
	}
	p.ExportObjectFact = func(o types.Object, f analysis.Fact) {
		kind := reflect.TypeOf(f)
		own.Lock()
		defer own.Unlock()
		own.objects[objectFact{o, kind}] = f
		if path, err := own.encoder.For(o); err == nil {
			own.paths[pathFact{path, kind}] = f
		}
	}
	p.ImportPackageFact = func(pkg *types.Package, into analysis.Fact) bool {
		facts := own
		if pkg != p.Pkg {
			if facts = s.below[pkg.Path()]; facts == nil {
				return false
			}
		}
		facts.Lock()
		f, ok := facts.pkg[reflect.TypeOf(into)]
		facts.Unlock()
		return fill(into, f, ok)
	}
	p.ExportPackageFact = func(f analysis.Fact) {
		own.Lock()
		defer own.Unlock()
		own.pkg[reflect.TypeOf(f)] = f
	}
	p.AllObjectFacts = func() []analysis.ObjectFact {
		own.Lock()
		defer own.Unlock()
		var all []analysis.ObjectFact
		for k, f := range own.objects {
			all = append(all, analysis.ObjectFact{Object: k.object, Fact: f})
		}
		return all
	}
	p.AllPackageFacts = func() []analysis.PackageFact {
		own.Lock()
		defer own.Unlock()
		var all []analysis.PackageFact
		for _, f := range own.pkg {
			all = append(all, analysis.PackageFact{Package: p.Pkg, Fact: f})
		}
		return all
	}
}
