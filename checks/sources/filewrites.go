package sources

import (
	"cmp"
	"context"
	"go/ast"
	"go/constant"
	"go/types"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/go/types/typeutil"

	"temper/checks"
)

// A Creation is a place in the code at which something is written to a path that is
// constant and absolute, for rules about where a container may write.
type Creation struct {
	// Path is that of the file or, if Folder is set, of the folder, which may be there.
	Path   string
	Folder bool
	// File and Line are where the code says so.
	File string
	Line int
}

// CreationsOf tells what the code of programs writes to by paths that are constant and
// absolute, each path once, sorted. What the kernel has below /dev, /proc and /sys is
// no part of an image.
func CreationsOf(ctx context.Context, memory *Memory, programs ...*Program) ([]Creation, error) {
	found, err := Analyze(ctx, []*Code{fileWrites}, memory, programs...)
	if err != nil {
		return nil, err
	}
	var all []Creation
	for _, d := range found {
		if d.Category == writtenFile || d.Category == writtenFolder {
			all = append(all, Creation{d.Message, d.Category == writtenFolder, d.File, d.Line})
		}
	}
	slices.SortFunc(all, func(a, b Creation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return slices.CompactFunc(all, func(a, b Creation) bool { return a.Path == b.Path }), nil
}

// The categories of what fileWrites says.
const writtenFile, writtenFolder = "written-file", "written-folder"

// fileWrites says which constant paths are written to. It is no rule: nothing that it
// says is a finding.
var fileWrites = code(checks.Rule{Name: "file-writes", Doc: "what is written to by a constant path"}, func(p *pass) {
	for _, c := range p.callsOf("os.Create", "os.WriteFile", "os.OpenFile", "os.Mkdir", "os.MkdirAll") {
		p.written(c.Node().(*ast.CallExpr))
	}
})

// written says to which constant path a call writes.
func (p *pass) written(n *ast.CallExpr) {
	category := writtenFile
	switch p.callee(n) {
	case "os.Create", "os.WriteFile":
	case "os.OpenFile":
		if !p.opensToWrite(n) {
			return
		}
	case "os.Mkdir", "os.MkdirAll":
		category = writtenFolder
	}
	if len(n.Args) == 0 {
		return // what another call returns
	}
	name := p.TypesInfo.Types[n.Args[0]].Value
	if name == nil || name.Kind() != constant.String {
		return
	}
	at := path.Clean(constant.StringVal(name))
	if !path.IsAbs(at) || at == "/" {
		return
	}
	for _, kernel := range []string{"/dev", "/proc", "/sys"} {
		if at == kernel || strings.HasPrefix(at, kernel+"/") {
			return
		}
	}
	d := p.diagnostic(n, "", "%s", at)
	d.Category = category
	p.Report(d)
}

// opensToWrite tells that the flags of a call of os.OpenFile are constant, and that one
// of them asks for more than to read.
func (p *pass) opensToWrite(n *ast.CallExpr) bool {
	if len(n.Args) != 3 {
		return false
	}
	given := p.TypesInfo.Types[n.Args[1]].Value
	if given == nil {
		return false
	}
	flags, ok := constant.Int64Val(constant.ToInt(given))
	scope := typeutil.Callee(p.TypesInfo, n).Pkg().Scope() // of package os: each system has numbers of its own
	return ok && slices.ContainsFunc([]string{"O_WRONLY", "O_RDWR", "O_CREATE", "O_TRUNC"}, func(name string) bool {
		c, known := scope.Lookup(name).(*types.Const)
		if !known {
			return false
		}
		flag, _ := constant.Int64Val(c.Val())
		return flags&flag != 0
	})
}
