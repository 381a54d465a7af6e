package images

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/executables"
)

// An Entry is one entry of one layer's tar.
type Entry struct {
	// Layer counts from 0, the lowest.
	Layer int
	// Path is clean, without a leading slash.
	Path string
	// Type is the tar type flag: tar.TypeReg, tar.TypeDir, ...
	Type byte
	// Mode has the permission, setuid, setgid and sticky bits as tar has them.
	Mode     int64
	UID, GID int
	// Size is in bytes.
	Size int64
	// Link is the target of a symbolic or hard link, as written.
	Link string
	// Format is what the first bytes of a regular file say.
	Format Format
	// Facts are those of an ELF file; nil for all else.
	Facts *executables.Facts
	// Unreadable says why an ELF file's facts could not be read.
	Unreadable string
	// caps is the extended attribute security.capability, empty where there is
	// none.
	caps string
	// tool is what an ELF file is by its content, whatever it is called; nil
	// for what is not known.
	tool *tool
	// secrets says what secrets a file holds.
	secrets []string
	// certificate tells that a file holds one, in PEM.
	certificate bool
	// inside tells that it lies in an archive: its path is that of the archive,
	// "!" and its path there. Only what is a finding is kept of an archive.
	inside bool
	// unopened says what an archive is that nobody looked into, and why.
	unopened string
	// content is that of one of the kept files, nil if it is too large.
	content []byte
}

// Place is how a finding names the entry.
func (e *Entry) Place() string {
	return fmt.Sprintf("layer %d: %s", e.Layer, printable(path.Join("/", e.Path)))
}

// printable quotes a name that would do more to a terminal than show itself.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(name) {
		return strconv.Quote(name)
	}
	return name
}

// Base returns the last element of the path.
func (e *Entry) Base() string { return path.Base(e.Path) }

// IsFile tells whether the entry gives a name to content: a regular file, or a
// link to one.
func (e *Entry) IsFile() bool {
	return e.Type == tar.TypeReg || e.Type == tar.TypeLink || e.Type == tar.TypeSymlink
}

// A Format is a kind of executable content, empty for anything else.
type Format string

const (
	ELF    Format = "an ELF executable"
	Script Format = "a script"
	PE     Format = "a Windows executable"
	MachO  Format = "a macOS executable"
)

// formatOf looks at the first bytes of a file.
func formatOf(head []byte) Format {
	has := func(magic string) bool { return strings.HasPrefix(string(head), magic) }
	switch {
	case has("\x7fELF"):
		return ELF
	case has("#!"):
		return Script
	case has("MZ") && len(head) >= 64:
		return PE
	case has("\xfe\xed\xfa\xce"), has("\xfe\xed\xfa\xcf"), has("\xce\xfa\xed\xfe"), has("\xcf\xfa\xed\xfe"):
		return MachO
	}
	return ""
}

// Bounds on what one image may make a reader do. They are far above any honest
// image: an answer is owed even to a hostile one.
const (
	maxLayers  = 1024
	maxEntries = 1 << 20
	maxContent = 64 << 30  // bytes of one layer, uncompressed
	maxHoles   = 256 << 20 // bytes of one layer's sparse files that are not in it
	maxKept    = 1 << 20   // bytes of a file of kept
)

// kept are the files whose content rules read.
var kept = map[string]bool{
	"etc/passwd":         true,
	"etc/group":          true,
	"etc/shadow":         true,
	"etc/os-release":     true,
	"usr/lib/os-release": true,
}

// Read reads every layer of an image once. Each layer's bytes must have the
// digest that the configuration gives.
func Read(ctx context.Context, v v1.Image) (*Image, error) {
	return Options{}.read(ctx, v)
}

func (o Options) read(ctx context.Context, v v1.Image) (*Image, error) {
	digest, err := v.Digest()
	if err != nil {
		return nil, fmt.Errorf("reading image: %w", err)
	}
	config, err := v.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading image config: %w", err)
	}
	layers, err := v.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading layers: %w", err)
	}
	switch {
	case len(layers) > maxLayers:
		return nil, fmt.Errorf("the image has %d layers, more than %d", len(layers), maxLayers)
	case len(layers) != len(config.RootFS.DiffIDs):
		return nil, fmt.Errorf("the image has %d layers and its config %d", len(layers), len(config.RootFS.DiffIDs))
	}
	img := &Image{Digest: digest, Platform: config.OS + "/" + config.Architecture, Config: config, from: v}
	if config.Variant != "" {
		img.Platform += "/" + config.Variant
	}
	var unpacked int64
	for i, layer := range layers {
		before := unpacked
		layerHolds, err := o.Memory.layer(ctx, layer, config.RootFS.DiffIDs[i], o.ByDigest, func() (*contents, error) {
			entries, err := readLayer(&reading{ctx: ctx, unpacked: &unpacked}, layer, config.RootFS.DiffIDs[i])
			return &contents{entries, unpacked - before}, err
		})
		if err != nil {
			return nil, fmt.Errorf("reading layer %d: %w", i, err)
		}
		if unpacked = before + layerHolds.unpacked; unpacked > maxUnpacked {
			return nil, fmt.Errorf("the archives of the image unpack to more than %d bytes", int64(maxUnpacked))
		}
		for _, e := range layerHolds.entries {
			e.Layer = i
			img.Entries = append(img.Entries, e)
		}
		if len(img.Entries) > maxEntries {
			return nil, fmt.Errorf("the image has more than %d files", maxEntries)
		}
	}
	img.tree = newTree(img.Entries)
	img.Entrypoint = img.startedBy()
	return img, nil
}

// A reading is that of one layer.
type reading struct {
	ctx      context.Context
	unpacked *int64 // bytes that came out of the archives of the image
	in       *counted
	files    int64 // bytes of files that were read
}

// A layerFile is a file of the layer. A sparse one has bytes that the layer has
// not: zeros without end, if nobody counts them.
type layerFile struct {
	r  io.Reader
	rd *reading
}

func (f layerFile) Read(p []byte) (int, error) {
	if err := f.rd.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := f.r.Read(p)
	if f.rd.files += int64(n); f.rd.in != nil && f.rd.files > f.rd.in.n+maxHoles {
		return n, fmt.Errorf("sparse files have more than %d bytes that are not in the layer", int64(maxHoles))
	}
	return n, err
}

func readLayer(rd *reading, layer v1.Layer, want v1.Hash) ([]Entry, error) {
	raw, err := unpacked(rd.ctx, layer)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	entries, got, err := rd.tar(raw)
	if err == nil && got != want {
		err = fmt.Errorf("its content has digest %s, the config says %s", got, want)
	}
	return entries, err
}

// tar reads a layer's tar, and returns what is in it and its digest.
func (rd *reading) tar(raw io.Reader) (entries []Entry, digest v1.Hash, err error) {
	in := &counted{r: raw, ctx: rd.ctx, sum: sha256.New()}
	rd.in = in
	for tr := tar.NewReader(in); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, digest, err
		}
		e, inside, err := rd.entry(h, tr)
		if err != nil {
			return nil, digest, fmt.Errorf("%q: %w", h.Name, err)
		}
		entries = append(append(entries, *e), inside...)
		if len(entries) > maxEntries {
			return nil, digest, fmt.Errorf("more than %d files", maxEntries)
		}
	}
	// What follows the tar's end belongs to the digest too. No runtime unpacks
	// it, and whoever pulls the layer can.
	if _, err := io.Copy(zerosOnly{}, in); err != nil {
		return nil, digest, err
	}
	return entries, v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(in.sum.Sum(nil))}, nil
}

// zerosOnly takes the padding of a tar and nothing else.
type zerosOnly struct{}

func (zerosOnly) Write(p []byte) (int, error) {
	for _, b := range p {
		if b != 0 {
			return 0, errors.New("something follows the end of its tar, which cannot be looked at")
		}
	}
	return len(p), nil
}

// entryOf is an entry without what its content says.
func entryOf(h *tar.Header) (*Entry, error) {
	name := strings.TrimLeft(h.Name, "/")
	for _, element := range strings.Split(name, "/") {
		if element == ".." {
			return nil, errors.New("the path leaves the image")
		}
	}
	e := &Entry{
		Path: path.Clean(name),
		Type: h.Typeflag,
		Mode: h.Mode,
		UID:  h.Uid,
		GID:  h.Gid,
		Size: h.Size,
		Link: h.Linkname,
	}
	switch h.Typeflag {
	case tar.TypeCont, tar.TypeGNUSparse: // a file with content as well
		e.Type = tar.TypeReg
	}
	return e, nil
}

// entry reads an entry of the layer, and what is a finding inside of it.
func (rd *reading) entry(h *tar.Header, r io.Reader) (e *Entry, inside []Entry, err error) {
	if e, err = entryOf(h); err != nil {
		return nil, nil, err
	}
	if e.caps, err = capsOf(h); err != nil {
		return nil, nil, err
	}
	switch e.Type {
	case tar.TypeReg:
	case tar.TypeDir, tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo, tar.TypeXGlobalHeader:
		return e, nil, nil
	default:
		return nil, nil, fmt.Errorf("it is of type %q, which cannot be looked at", h.Typeflag)
	}
	r = layerFile{r, rd}
	if kept[e.Path] && e.Size <= maxKept {
		if e.content, err = io.ReadAll(r); err != nil {
			return nil, nil, err
		}
		r = bytes.NewReader(e.content)
	}
	inside, err = rd.file(e, r, &nesting{limit: max(minUnpacked, maxRatio*e.Size)})
	return e, inside, err
}

// headSize is a block of tar, which tells a tar.
const headSize = 512

// file looks at the content of a file, wherever it lies.
func (rd *reading) file(e *Entry, r io.Reader, n *nesting) (inside []Entry, err error) {
	head := make([]byte, headSize)
	k, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	head = head[:k]
	r = io.MultiReader(bytes.NewReader(head), r)
	if e.Format = formatOf(head); e.Format == ELF {
		return nil, e.readELF(r)
	}
	key := false
	if k > 0 && head[0] == 0x30 { // the tag of a sequence
		raw, err := io.ReadAll(io.LimitReader(r, maxKey+1))
		if err != nil {
			return nil, err
		}
		key, r = isBinaryKey(raw), io.MultiReader(bytes.NewReader(raw), r)
	}
	inside, err = rd.data(e, r, n, archiveOf(head))
	if key {
		e.secrets = append(e.secrets, "it holds a private key")
	}
	return inside, err
}

// data looks for secrets in what is no ELF file, and into archives.
func (rd *reading) data(e *Entry, r io.Reader, n *nesting, kind archive) (inside []Entry, err error) {
	found := &secretFinder{netrc: e.Base() == ".netrc" || e.Base() == "_netrc"}
	scan := newScanner(credentialNeedles(), found.credential)
	defer scan.Close()
	in := &source{r: io.TeeReader(r, scan)}
	if kind != "" {
		inside, err = rd.unpack(e, in, n, kind)
		var bad *unpackError
		if in.err == nil && errors.As(err, &bad) {
			e.unopened, err = fmt.Sprintf("it is %s, and was not looked into whole: %v", kind, bad), nil
		}
		if err != nil {
			return inside, err
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return inside, err
	}
	scan.Flush()
	if e.unopened == "" && kind != zipArchive && endsAsZip(scan.buf) {
		e.unopened = "it ends as a zip archive and begins as something else, and was not looked into"
	}
	e.certificate = found.certificate
	// The bytes of a tar are those of the files in it.
	if kind != tarArchive || !slices.ContainsFunc(inside, func(e Entry) bool { return len(e.secrets) > 0 }) {
		e.secrets = found.all()
	}
	return inside, nil
}

// A source remembers the error that reading it ended with, which is not the
// fault of what it holds.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// readELF puts the file on disk, since ELF is read out of order and a layer may
// hold a file of any size. On the way there it looks for what tools are known
// by, and for private keys.
func (e *Entry) readELF(r io.Reader) error {
	f, err := os.CreateTemp("", "temper-elf-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	seen, found := make(map[int]bool), &secretFinder{}
	scan := newScanner(elfStrings().needles, func(needle, at int, text []byte) {
		seen[needle] = true
		if needle == elfStrings().key && isPrivateKey(text, at) {
			found.add("a private key")
		}
	})
	defer scan.Close()
	if _, err := io.Copy(io.MultiWriter(f, scan), r); err != nil {
		return err
	}
	scan.Flush()
	if e.Facts, err = executables.Read(f); err != nil {
		e.Facts, e.Unreadable = nil, err.Error()
	}
	e.tool, e.secrets = toolOf(e.Facts, seen), found.all()
	return nil
}

// counted hashes what is read, stops at the bound and when the context ends.
type counted struct {
	r   io.Reader
	ctx context.Context
	sum hash.Hash
	n   int64
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	if c.n += int64(n); c.n > maxContent {
		return n, fmt.Errorf("more than %d bytes", int64(maxContent))
	}
	return n, err
}
