package image

import (
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// verify returns a reader that ends in an error unless what was read has the
// digest and the size; a negative size is not known. The name is told in the
// error.
func verify(r io.ReadCloser, want v1.Hash, size int64, name string) (io.ReadCloser, error) {
	h, err := v1.Hasher(want.Algorithm)
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &verifier{ReadCloser: r, hash: h, want: want, size: size, name: name}, nil
}

type verifier struct {
	io.ReadCloser
	hash hash.Hash
	want v1.Hash
	size int64
	read int64
	name string
}

// Proves tells that whoever reads to the end without an error has read what has
// the digest, and need not take it again.
func (v *verifier) Proves(digest v1.Hash) bool { return v.want == digest }

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.hash.Write(p[:n])
	v.read += int64(n)
	if v.size >= 0 && v.read > v.size {
		return n, fmt.Errorf("%s is larger than the %d bytes that it should have", v.name, v.size)
	}
	if err != io.EOF {
		return n, err
	}
	if v.size >= 0 && v.read < v.size {
		return n, fmt.Errorf("%s is cut short: %d bytes, want %d", v.name, v.read, v.size)
	}
	if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.want.Hex {
		return n, fmt.Errorf("%s was altered: its digest is %s:%s, want %s", v.name, v.want.Algorithm, got, v.want)
	}
	return n, io.EOF
}
