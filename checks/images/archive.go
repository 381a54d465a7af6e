package images

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"temper/checks/pattern"
)

// An archive is a form of content that holds other files, or one compressed;
// empty for anything else.
type archive string

const (
	tarArchive  archive = "a tar archive"
	zipArchive  archive = "a zip archive"
	gzipStream  archive = "compressed with gzip"
	bzip2Stream archive = "compressed with bzip2"
	zstdStream  archive = "compressed with zstd"
)

// magics are what archives begin with. Those that nothing here unpacks are
// findings.
var magics = []struct {
	head string
	kind archive
}{
	{"PK\x03\x04", zipArchive},
	{"PK\x05\x06", zipArchive},
	{"PK\x07\x08", "a zip archive in parts"},
	{"\x1f\x8b\x08", gzipStream},
	{"\x28\xb5\x2f\xfd", zstdStream},
	{"\xfd7zXZ\x00", "compressed with xz"},
	{"\x04\x22\x4d\x18", "compressed with lz4"},
	{"LZIP\x01", "compressed with lzip"},
	{"\x1f\x9d", "compressed with compress"},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"},
	{"Rar!\x1a\x07", "a RAR archive"},
	{"MSCF\x00\x00\x00\x00", "a cabinet archive"},
	{"!<arch>\n", "an ar archive or a Debian package"},
	{"\xed\xab\xee\xdb", "an RPM package"},
	{"hsqs", "a squashfs image"},
}

// What begins like text has to go on like an archive.
var (
	bzip2Head = pattern.New(`^(?s:BZh[1-9](?:1AY&SY|\x17rE8P\x90))`)
	cpioHead  = pattern.New(`^07070(?:[12][0-9A-Fa-f]{104}|7[0-7]{70})`)
)

func archiveOf(head []byte) archive {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.head)) {
			return m.kind
		}
	}
	switch {
	case bzip2Head().Match(head):
		return bzip2Stream
	case cpioHead().Match(head):
		return "a cpio archive"
	}
	// zstd also begins with frames to be skipped, and a tar tells itself by the
	// sum of its header.
	if len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte("\x2a\x4d\x18")) {
		return zstdStream
	}
	if isTarHeader(head) {
		return tarArchive
	}
	return ""
}

// endsAsZip tells whether what a file ends with is the end of a zip archive: a
// reader of those finds it behind anything.
func endsAsZip(tail []byte) bool {
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	const size, comment = 22, 20 // of the record, and where it says how long what follows is
	return at >= 0 && len(tail) >= at+size && int(binary.LittleEndian.Uint16(tail[at+comment:])) == len(tail)-at-size
}

// isTarHeader checks the sum of all bytes, those of the sum itself counted as
// spaces, signed or not.
// https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
func isTarHeader(head []byte) bool {
	if len(head) < headSize {
		return false
	}
	want, err := strconv.ParseInt(strings.Trim(string(head[148:156]), " \x00"), 8, 64)
	if err != nil {
		return false
	}
	var unsigned, signed int64
	for i, b := range head {
		if i >= 148 && i < 156 {
			b = ' '
		}
		unsigned += int64(b)
		signed += int64(int8(b))
	}
	return want == unsigned || want == signed
}

// Bounds on unpacking. An archive that is beyond one is a finding.
const (
	maxDepth     = 3        // archives in archives
	minUnpacked  = 64 << 20 // bytes that any archive may hold
	maxRatio     = 100      // of what a larger one holds to its own size
	maxUnpacked  = 16 << 30 // bytes that all archives of an image hold
	maxMembers   = 1 << 17  // of one archive, with those in it
	maxDirectory = 64 << 20 // bytes of a zip's directory
)

// A nesting is where an archive of a layer has been unpacked to.
type nesting struct {
	archives, streams int
	limit, n          int64 // bytes
	members           int
}

// unpackError is about the archive, not about reading it.
type unpackError struct{ error }

func (e *unpackError) Unwrap() error { return e.error }

func bad(err error) error {
	var known *unpackError
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &unpackError{err}
}

// unpack looks at each file of an archive and returns those that are findings,
// and all of them with an unpackError if there may be more.
func (rd *reading) unpack(e *Entry, in *source, n *nesting, kind archive) (inside []Entry, err error) {
	deeper := func(level *int) bool { *level++; return *level <= maxDepth }
	switch kind {
	case tarArchive:
		defer func() { n.archives-- }()
		if !deeper(&n.archives) {
			return nil, bad(fmt.Errorf("archives lie more than %d deep", maxDepth))
		}
		return rd.untar(e, in, n)
	case zipArchive:
		defer func() { n.archives-- }()
		if !deeper(&n.archives) {
			return nil, bad(fmt.Errorf("archives lie more than %d deep", maxDepth))
		}
		return rd.unzip(e, in, n)
	}
	var r io.Reader
	switch kind {
	case gzipStream:
		r, err = gzip.NewReader(in)
	case bzip2Stream:
		r = bzip2.NewReader(in)
	case zstdStream:
		var d *zstd.Decoder
		d, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err == nil {
			defer d.Close()
		}
		r = d
	default:
		return nil, bad(errors.New("nothing here unpacks it"))
	}
	if err != nil {
		return nil, bad(err)
	}
	defer func() { n.streams-- }()
	if !deeper(&n.streams) {
		return nil, bad(fmt.Errorf("it is compressed more than %d times", maxDepth))
	}
	return rd.member(e, "", 0, r, n)
}

func (rd *reading) untar(e *Entry, in *source, n *nesting) (inside []Entry, err error) {
	for tr := tar.NewReader(in); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return inside, nil
		}
		if err != nil {
			return inside, bad(err)
		}
		if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink {
			h.Size = 0
		}
		more, err := rd.member(e, h.Name, h.Mode, tr, n)
		inside = append(inside, more...)
		if err != nil {
			return inside, err
		}
	}
}

// unzip puts the archive on disk, since its directory is at its end.
func (rd *reading) unzip(e *Entry, in *source, n *nesting) (inside []Entry, err error) {
	f, err := os.CreateTemp("", "temper-zip-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	size, err := io.Copy(f, in)
	if err != nil {
		return nil, err
	}
	at := &bounded{f, maxDirectory}
	z, err := zip.NewReader(at, size)
	if err != nil {
		return nil, bad(err)
	}
	at.left = -1
	for _, file := range z.File {
		r, err := file.Open()
		if err != nil {
			return inside, bad(fmt.Errorf("%q: %w", file.Name, err))
		}
		more, err := rd.member(e, file.Name, int64(file.Mode().Perm()), r, n)
		inside = append(inside, more...)
		r.Close()
		if err != nil {
			return inside, err
		}
	}
	return inside, nil
}

// member looks at one file of an archive; at the one that a stream is, if it
// has no name.
func (rd *reading) member(of *Entry, name string, mode int64, r io.Reader, n *nesting) ([]Entry, error) {
	if n.members++; n.members > maxMembers {
		return nil, bad(fmt.Errorf("it holds more than %d files", maxMembers))
	}
	e := Entry{Path: of.Path + "!", Type: tar.TypeReg, Mode: mode, inside: true}
	if name != "" {
		e.Path = strings.TrimSuffix(of.Path, "!") + "!" + path.Join("/", name)
	}
	out := &unpacking{r, rd, n}
	inside, err := rd.file(&e, out, n)
	if e.Format != "" || len(e.secrets) > 0 || e.unopened != "" {
		inside = append([]Entry{e}, inside...)
	}
	if err != nil {
		return inside, err
	}
	// Nothing of a file is left unread: its end proves its sum.
	if _, err := io.Copy(io.Discard, out); err != nil {
		return inside, err
	}
	return inside, nil
}

// An unpacking counts what comes out of an archive, and knows its errors for
// those of the archive.
type unpacking struct {
	r  io.Reader
	rd *reading
	n  *nesting
}

func (u *unpacking) Read(p []byte) (int, error) {
	if err := u.rd.ctx.Err(); err != nil {
		return 0, err
	}
	k, err := u.r.Read(p)
	u.n.n += int64(k)
	*u.rd.unpacked += int64(k)
	switch {
	case u.n.n > u.n.limit:
		return k, bad(fmt.Errorf("it unpacks to more than %d bytes", u.n.limit))
	case *u.rd.unpacked > maxUnpacked:
		return k, bad(fmt.Errorf("the archives of the image unpack to more than %d bytes", int64(maxUnpacked)))
	case err == io.EOF:
		return k, err
	}
	return k, bad(err)
}

// A bounded file can be read as far as the bound, and without one if it is
// negative.
type bounded struct {
	f    *os.File
	left int64
}

func (b *bounded) ReadAt(p []byte, off int64) (int, error) {
	if b.left >= 0 {
		if b.left -= int64(len(p)); b.left < 0 {
			return 0, fmt.Errorf("its directory has more than %d bytes", maxDirectory)
		}
	}
	return b.f.ReadAt(p, off)
}
