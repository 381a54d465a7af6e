package difference

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// contents compares two files that are not the same.
func (c *comparison) contents(ctx context.Context, at Difference, a, b *io.SectionReader, one, other entry) error {
	at.What = "content"
	at.Released, at.Rebuilt = one.content(), other.content()
	if one.sum == "" || other.sum == "" {
		return nil // another kind, which is told
	}
	for _, side := range []struct {
		r    io.Reader
		want string
	}{{a, one.sum}, {b, other.sum}} {
		sum := sha256.New()
		if _, err := io.Copy(sum, withContext{ctx, side.r}); err != nil {
			return err
		}
		if "sha256:"+hex.EncodeToString(sum.Sum(nil)) != side.want { // a sparse file does not lie in the tar as it is
			c.add(at)
			return nil
		}
	}
	if isELF(a) && isELF(b) {
		return c.executables(ctx, at, a, b)
	}
	where, lines, err := firstDifference(ctx, a, b)
	if err != nil {
		return err
	}
	at.Cause = fmt.Sprintf("%s; it differs from line %d on (byte %d)", anotherSource, where.line, where.at)
	switch {
	case lines:
		at.Cause = "only the line endings differ: git was told to convert them where one of the two was checked out (core.autocrlf)"
	case ofBase(at):
		at.Cause = anotherBase
	}
	c.add(at)
	return nil
}

func (e entry) content() string {
	return fmt.Sprintf("%s (%d bytes)", e.sum, e.size)
}

func isELF(r io.ReaderAt) bool {
	var magic [4]byte
	n, _ := r.ReadAt(magic[:], 0)
	return n == 4 && string(magic[:]) == "\x7fELF"
}

// A spot is where two files begin to differ.
type spot struct{ at, line int64 }

// firstDifference finds it, and tells whether all that differs is how lines end.
func firstDifference(ctx context.Context, a, b *io.SectionReader) (spot, bool, error) {
	where, found := spot{line: 1}, false
	left, right := bufio.NewReader(rewound(ctx, a)), bufio.NewReader(rewound(ctx, b))
	for !found {
		x, errX := left.ReadByte()
		y, errY := right.ReadByte()
		for _, err := range []error{errX, errY} {
			if err != nil && !errors.Is(err, io.EOF) {
				return where, false, err
			}
		}
		if found = x != y || errX != nil || errY != nil; !found {
			where.at++
			if x == '\n' {
				where.line++
			}
		}
	}
	var sums [2][sha256.Size]byte
	for i, r := range []*io.SectionReader{a, b} {
		sum := sha256.New()
		if _, err := io.Copy(&unixLines{w: sum}, rewound(ctx, r)); err != nil {
			return where, false, err
		}
		sum.Sum(sums[i][:0])
	}
	return where, sums[0] == sums[1], nil
}

func rewound(ctx context.Context, r *io.SectionReader) io.Reader {
	return withContext{ctx, io.NewSectionReader(r, 0, r.Size())}
}

// unixLines writes \r\n as \n.
type unixLines struct {
	w io.Writer
	// cr tells that the last byte was \r, which is not written yet.
	cr bool
}

func (u *unixLines) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+1)
	for _, c := range p {
		if u.cr && c != '\n' {
			out = append(out, '\r')
		}
		if u.cr = c == '\r'; !u.cr {
			out = append(out, c)
		}
	}
	_, err := u.w.Write(out)
	return len(p), err
}
