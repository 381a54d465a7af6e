package temper_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What is written down as a "dagger call" is held against the module's sources,
// so that a function or an argument that is renamed there breaks what calls it.

func TestCallsOfTheModule(t *testing.T) {
	m := readModule(t)
	for file, text := range map[string]func(*testing.T, string) string{
		"README.md":               plainText,
		"examples/ci/README.md":   plainText,
		"pipeline/module/main.go": plainText,
		"examples/ci/github.yaml": scriptsOf,
		"examples/ci/gitlab.yaml": scriptsOf,
	} {
		calls := callsIn(text(t, file))
		if len(calls) == 0 {
			t.Errorf("%s holds no call of the module", file)
		}
		for _, call := range calls {
			if err := m.holds(call); err != nil {
				t.Errorf("%s: dagger call %s: %v", file, strings.Join(call, " "), err)
			}
		}
	}
}

func TestWrongCallsAreSeen(t *testing.T) {
	m := readModule(t)
	for line, want := range map[string]string{
		"dagger call -m X --command=temper check":                                        "",
		"x=$(dagger call -m X services)":                                                 "",
		"dagger call service --name api image --anyway report --format=sarif > f":        "",
		"test -x f || dagger call binary export --path=f":                                "",
		"dagger call release --address=a --key=env://K --tag=v1 verify --key=cosign.pub": "",
		"dagger call chek":                                                      `Temper has no function "chek"`,
		"dagger call --comand=temper check":                                     "no argument --comand",
		"dagger call service image report":                                      "wants --name",
		"dagger call service --name=api image report --formats=sarif":           "no argument --formats",
		"dagger call service --name=api --anyway image report":                  "no argument --anyway",
		"dagger call release --key=env://K ref":                                 "wants --address",
		"dagger call service --name=api image report --format=sarif digest | x": `nothing follows "report"`,
		"dagger call binary exprot --path=f":                                    `File has no function "exprot"`,
		"dagger call --workspace=. check":                                       "no argument --workspace",
		"dagger call --self=. --lane":                                           "the argument --lane has no value",
	} {
		calls := callsIn(line)
		if len(calls) != 1 {
			t.Errorf("%s: %d calls", line, len(calls))
			continue
		}
		err := m.holds(calls[0])
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

func plainText(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// scriptsOf is what a YAML file's strings hold, without the YAML.
func scriptsOf(t *testing.T, file string) string {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(plainText(t, file)), &doc); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var text strings.Builder
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			text.WriteString(n.Value + "\n")
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(&doc)
	return text.String()
}

var (
	callOf = regexp.MustCompile(`(?m)(?:^|[ \t(])dagger call (.*)$`)
	wordOf = regexp.MustCompile(`[ \t]*((?:"[^"]*"|'[^']*'|[^\s"'|&;<>)])+|[|&;<>)])`)
)

// callsIn are the words after each "dagger call" of a text that starts a line, a
// substitution or another command, up to the end of the command. Prose quotes.
func callsIn(text string) [][]string {
	var calls [][]string
	for _, found := range callOf.FindAllStringSubmatch(strings.ReplaceAll(text, "\\\n", " "), -1) {
		var call []string
		for _, word := range wordOf.FindAllStringSubmatch(found[1], -1) {
			if strings.ContainsAny(word[1][:1], "|&;<>)") {
				break
			}
			call = append(call, word[1])
		}
		calls = append(calls, call)
	}
	return calls
}

// A surface is what "dagger call" knows of a module: the functions of each type.
type surface map[string]map[string]function

type function struct {
	args    map[string]argument
	returns string // a type with functions, or empty
}

type argument struct{ optional, flag bool }

// core are the functions of the engine's own types that calls end in.
var core = surface{
	"File":      {"export": {args: map[string]argument{"path": {}}}, "contents": {}},
	"Directory": {"export": {args: map[string]argument{"path": {}}}, "entries": {}},
	"Container": {"with-exec": {args: map[string]argument{"args": {}}, returns: "Container"}, "stdout": {}},
}

// readModule reads the module's sources as the engine does.
func readModule(t *testing.T) surface {
	t.Helper()
	m := surface{}
	for name, functions := range core {
		m[name] = functions
	}
	add := func(of, name string, f function) {
		if m[of] == nil {
			m[of] = map[string]function{}
		}
		m[of][kebab(name)] = f
	}
	files, err := filepath.Glob("pipeline/module/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == "dagger.gen.go" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				switch {
				case d.Recv == nil && d.Name.Name == "New":
					add("", "New", readFunction(f, d))
				case d.Recv != nil && d.Name.IsExported():
					add(typeName(d.Recv.List[0].Type), d.Name.Name, readFunction(f, d))
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					s, ok := spec.(*ast.TypeSpec)
					if !ok {
						continue
					}
					fields, ok := s.Type.(*ast.StructType)
					if !ok {
						continue
					}
					for _, field := range fields.Fields.List {
						for _, name := range field.Names {
							if name.IsExported() && !strings.Contains(field.Doc.Text(), "+private") {
								add(s.Name.Name, name.Name, function{returns: typeName(field.Type)})
							}
						}
					}
				}
			}
		}
	}
	if len(m["Temper"]) == 0 || len(m[""]["new"].args) == 0 {
		t.Fatal("the module's functions are not found")
	}
	return m
}

// readFunction reads a function's arguments; the comments before one say
// whether it may be left out.
func readFunction(f *ast.File, d *ast.FuncDecl) function {
	fn := function{args: map[string]argument{}}
	after := d.Type.Params.Opening
	for _, param := range d.Type.Params.List {
		var said strings.Builder
		for _, c := range f.Comments {
			if c.Pos() > after && c.End() < param.Pos() {
				for _, line := range c.List {
					said.WriteString(line.Text)
				}
			}
		}
		after = param.End()
		of := typeName(param.Type)
		if of == "Context" || of == "Workspace" {
			continue // the engine gives these
		}
		for _, name := range param.Names {
			fn.args[kebab(name.Name)] = argument{
				optional: strings.Contains(said.String(), "+optional") || strings.Contains(said.String(), "+default"),
				flag:     of == "bool",
			}
		}
	}
	if d.Type.Results != nil {
		fn.returns = typeName(d.Type.Results.List[0].Type)
	}
	return fn
}

// typeName is a type's own name: without package, pointer and list.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

var (
	word    = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	acronym = regexp.MustCompile(`([A-Z])([A-Z][a-z])`)
)

// kebab is how the command spells a name of Go.
func kebab(name string) string {
	return strings.ToLower(acronym.ReplaceAllString(word.ReplaceAllString(name, "$1-$2"), "$1-$2"))
}

// holds tells what is wrong with a call, by its words.
func (m surface) holds(call []string) error {
	at, last := m[""]["new"], "the module"
	given := map[string]bool{}
	complete := func() error {
		for name, arg := range at.args {
			if !arg.optional && !given[name] {
				return fmt.Errorf("%s wants --%s", last, name)
			}
		}
		return nil
	}
	for i := 0; i < len(call); i++ {
		if call[i] == "-m" { // of dagger itself
			i++
			continue
		}
		flag, isFlag := strings.CutPrefix(call[i], "--")
		if isFlag {
			name, _, valued := strings.Cut(flag, "=")
			arg, known := at.args[name]
			if !known {
				return fmt.Errorf("%s has no argument --%s", last, name)
			}
			if !valued && !arg.flag {
				if i++; i == len(call) {
					return fmt.Errorf("the argument --%s has no value", name)
				}
			}
			given[name] = true
			continue
		}
		if err := complete(); err != nil {
			return err
		}
		functions, more := m[at.returns]
		if !more {
			return fmt.Errorf("nothing follows %q", last)
		}
		next, known := functions[call[i]]
		if !known {
			return fmt.Errorf("%s has no function %q", at.returns, call[i])
		}
		at, last, given = next, call[i], map[string]bool{}
	}
	return complete()
}
