package sources

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/types/objectpath"

	"temper/checks/memory"
)

// A Memory keeps what was found in packages, and the facts about them, so that a package
// that has not changed is not looked at again. A nil Memory holds nothing.
//
// It goes by all that an analyzer can see: the files, what the compiler wrote about the
// packages that they import, and the facts about those; and by the program that looked,
// for other rules look again.
type Memory struct{ folder *memory.Folder }

// NewMemory returns a memory that lasts in a folder.
func NewMemory(dir string) (*Memory, error) {
	folder, err := memory.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Memory{folder}, nil
}

// keyOf names a package by all that is looked at, empty if nothing is to be remembered.
// Those that it imports have been named.
func (r *run) keyOf(s *seen) string {
	if r.memory == nil || r.ID == nil {
		return ""
	}
	sum := sha256.New()
	for _, rule := range r.rules {
		fmt.Fprintf(sum, "rule %q\n", rule.Name)
	}
	what := *s.Package
	what.Files, what.Fresh = nil, false
	said, err := json.Marshal(what) // all of it, whatever else a package comes to say of itself
	if err != nil {
		return ""
	}
	fmt.Fprintf(sum, "package %s for %q\n", said, r.Arch)
	for _, f := range s.Files {
		fmt.Fprintf(sum, "file %q %x\n", f.Name, sha256.Sum256(f.Content))
	}
	for _, path := range slices.Sorted(slices.Values(s.Direct)) {
		id, facts := "unsafe", ""
		if path != "unsafe" {
			id = r.ID(path)
		}
		if imported, ok := r.seen[path]; ok {
			if facts = imported.key; facts == "" {
				return ""
			}
		}
		if id == "" {
			return ""
		}
		fmt.Fprintf(sum, "import %q %q %q\n", path, id, facts)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// A record is what is remembered of a package.
type record struct {
	Found []Diagnostic
	Facts []recordedFact
}

// A recordedFact is about what the path leads to, or about the package if it is empty.
type recordedFact struct {
	Path objectpath.Path
	Kind string
	Fact json.RawMessage
}

// recall takes what is remembered of a package for seen.
func (r *run) recall(_ context.Context, s *seen) error {
	if s.key == "" || s.Fresh { // whose types are wanted
		return nil
	}
	text := r.memory.folder.Load(s.key)
	if text == nil {
		return nil
	}
	var of record
	if err := json.Unmarshal(text, &of); err != nil {
		return fmt.Errorf("reading what is remembered of package %s: %w", s.Path, err)
	}
	kinds := make(map[string]reflect.Type)
	for _, rule := range r.rules {
		kindsOf(rule.Analyzer, kinds)
	}
	facts := newPackageFacts()
	for _, f := range of.Facts {
		kind, ok := kinds[f.Kind]
		if !ok {
			return fmt.Errorf("reading what is remembered of package %s: no rule states facts of type %s", s.Path, f.Kind)
		}
		value := reflect.New(kind.Elem())
		if err := json.Unmarshal(f.Fact, value.Interface()); err != nil {
			return fmt.Errorf("reading what is remembered of package %s: %s: %w", s.Path, f.Kind, err)
		}
		if f.Path == "" {
			facts.pkg[kind] = value.Interface().(analysis.Fact)
		} else {
			facts.paths[pathFact{f.Path, kind}] = value.Interface().(analysis.Fact)
		}
	}
	s.found, s.facts, s.known = of.Found, facts, true
	return nil
}

// remember keeps what was seen of a package.
func (r *run) remember(s *seen) error {
	if s.key == "" {
		return nil
	}
	of := record{Found: s.found}
	add := func(path objectpath.Path, kind reflect.Type, f analysis.Fact) error {
		text, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("remembering package %s: %w", s.Path, err)
		}
		of.Facts = append(of.Facts, recordedFact{path, nameOf(kind), text})
		return nil
	}
	for at, f := range s.facts.paths {
		if err := add(at.path, at.kind, f); err != nil {
			return err
		}
	}
	for kind, f := range s.facts.pkg {
		if err := add("", kind, f); err != nil {
			return err
		}
	}
	slices.SortFunc(of.Facts, func(a, b recordedFact) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind))
	})
	text, err := json.Marshal(of)
	if err != nil {
		return fmt.Errorf("remembering package %s: %w", s.Path, err)
	}
	return r.memory.folder.Save(s.key, text)
}

// kindsOf adds the types of the facts that an analyzer states, and those that it needs.
func kindsOf(a *analysis.Analyzer, kinds map[string]reflect.Type) {
	for _, f := range a.FactTypes {
		kinds[nameOf(reflect.TypeOf(f))] = reflect.TypeOf(f)
	}
	for _, need := range a.Requires {
		kindsOf(need, kinds)
	}
}

// nameOf is the name of a type of facts, which are pointers.
func nameOf(kind reflect.Type) string { return kind.Elem().PkgPath() + "." + kind.Elem().Name() }
