package difference

import (
	"context"
	"fmt"
	"io"
	"slices"

	"temper/checks/executables"
)

// functions compares the machine code of two programs with one build info,
// function by function.
//
// Where nothing has moved, it is the bytes that are compared. Where something
// has, every address in the code is another, and it is the sizes.
func (c *comparison) functions(ctx context.Context, at Difference, a, b *program) error {
	if a.info == nil || b.info == nil || !slices.Contains(differ(a, b), ".text") {
		return nil
	}
	listA, errA := executables.Functions(a.r)
	listB, errB := executables.Functions(b.r)
	if errA != nil || errB != nil {
		return nil // a table that nobody can read tells nothing; the section does
	}
	bytes := unmoved(a, b)
	known := make(map[string][]executables.Function, len(listB))
	for _, f := range listB {
		known[f.Name] = append(known[f.Name], f)
	}
	tell := func(name string, released, rebuilt string) {
		d := at
		d.Section, d.What, d.Released, d.Rebuilt = ".text", "function "+name, released, rebuilt
		c.add(d)
	}
	for _, f := range listA {
		if err := ctx.Err(); err != nil {
			return err
		}
		others := known[f.Name]
		if len(others) == 0 {
			tell(f.Name, sized(f), "")
			continue
		}
		other := others[0]
		known[f.Name] = others[1:]
		if f.Size != other.Size {
			tell(f.Name, sized(f), sized(other))
			continue
		}
		if !bytes {
			continue
		}
		same, err := sameBytes(code(a, f), code(b, other))
		if err != nil {
			return err
		}
		if !same {
			tell(f.Name, sized(f), sized(other)+", other instructions")
		}
	}
	for _, f := range listB {
		if others := known[f.Name]; len(others) > 0 && others[0] == f {
			known[f.Name] = others[1:]
			tell(f.Name, "", sized(f))
		}
	}
	return nil
}

// unmoved tells whether all that code can refer to is where it was.
func unmoved(a, b *program) bool {
	for _, s := range a.file.Sections {
		other := b.file.Section(s.Name)
		if other == nil || s.Addr != other.Addr || s.Size != other.Size {
			return false
		}
	}
	return len(a.file.Sections) == len(b.file.Sections)
}

func sized(f executables.Function) string { return fmt.Sprintf("%d bytes", f.Size) }

// code is that of a function.
func code(p *program, f executables.Function) io.Reader {
	text := p.section(".text").raw
	return io.NewSectionReader(text, f.Begin, f.Size)
}
