package sources

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// ignorePrefix begins a comment that accepts what a rule finds:
//
//	//temper:ignore RULE reason
//
// It is about its own line, or, where it stands alone, about the line that follows its
// comment.
const ignorePrefix = "//temper:ignore"

// An ignore is such a comment.
type ignore struct {
	comment *ast.Comment
	file    string
	// line is where it stands, and about the line that it is about.
	line, about  int
	rule, reason string
}

// ignoresOf returns the comments of files that accept something, but for tests, where
// nothing is found. The content of a file is as the compiler sees it.
func ignoresOf(fset *token.FileSet, files []*ast.File, content func(name string) ([]byte, error)) ([]ignore, error) {
	var all []ignore
	for _, f := range files {
		of := fset.File(f.FileStart)
		if strings.HasSuffix(of.Name(), "_test.go") {
			continue
		}
		for _, group := range f.Comments {
			for _, c := range group.List {
				text, ok := strings.CutPrefix(c.Text, ignorePrefix)
				if !ok || text != "" && text[0] != ' ' && text[0] != '\t' {
					continue
				}
				src, err := content(of.Name())
				if err != nil {
					return nil, err
				}
				at := of.PositionFor(c.Pos(), false)
				one := ignore{comment: c, file: of.Name(), line: at.Line, about: at.Line}
				if strings.TrimSpace(string(src[at.Offset-(at.Column-1):at.Offset])) == "" {
					one.about = of.PositionFor(group.End(), false).Line + 1
				}
				words := strings.Fields(text)
				if len(words) > 0 {
					one.rule, one.reason = words[0], strings.Join(words[1:], " ")
				}
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// accepts tells whether it is about what a rule finds at a line.
func (i ignore) accepts(rule, file string, line int) bool {
	return i.reason != "" && i.rule == rule && i.file == file && i.about == line && rule != ignoreReasonName
}

// Ignored says that the source accepts a diagnostic, and why.
type Ignored struct {
	// Line is where in the diagnostic's file it does.
	Line   int
	Reason string
}

// IgnoreUnused is the category of a comment that accepts what was not found.
const IgnoreUnused = "ignore-unused"

// mark marks what the comments of a package accept, and tells of those that accept
// nothing though their rule has looked.
func mark(path string, rules []*Code, ignores []ignore, found []Diagnostic) []Diagnostic {
	used := make([]bool, len(ignores))
	for n := range found {
		d := &found[n]
		for i, one := range ignores {
			if one.accepts(d.Rule, d.File, d.Line) {
				used[i] = true
				d.Ignored = &Ignored{one.line, one.reason}
			}
		}
	}
	for i, one := range ignores {
		ran := slices.ContainsFunc(rules, func(c *Code) bool { return c.Name == one.rule })
		if !used[i] && one.reason != "" && ran && one.rule != ignoreReasonName {
			found = append(found, Diagnostic{Rule: one.rule, Category: IgnoreUnused, Message: one.reason, In: path, File: one.file, Line: one.line, Column: 1})
		}
	}
	return found
}

// inVain takes out the comments that one program has no use for and another has: they
// are about a file for another platform, or about another build tag.
func inVain(found []Diagnostic) []Diagnostic {
	type comment struct {
		rule, file string
		line       int
	}
	used := make(map[comment]bool)
	for _, d := range found {
		if d.Ignored != nil {
			used[comment{d.Rule, d.File, d.Ignored.Line}] = true
		}
	}
	return slices.DeleteFunc(found, func(d Diagnostic) bool {
		return d.Category == IgnoreUnused && used[comment{d.Rule, d.File, d.Line}]
	})
}
