package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/memory"
)

// A Memory holds what was read of layers, so that a layer that two images
// share, or that an earlier check has read, is not read again. A nil Memory
// holds nothing.
//
// It goes by the digest of the layer's bytes and its diff id together, for a
// configuration may claim the diff id of any other layer, and by the program
// that read it: other rules read again. What it holds of a layer is taken only
// if the layer's bytes still have their digest, unless nobody gets them by a digest
// that they do not have.
//
// A folder belongs to one user, like Go's build cache: who can write into it
// can write there that a layer is clean. [temper release] looks for itself.
type Memory struct {
	// folder is nil to remember no longer than the program runs.
	folder *memory.Folder

	mu     sync.Mutex
	layers map[string]*recollection
	// ahead is what was read of tars before they were layers, by diff id.
	ahead map[v1.Hash]*contents
}

// A recollection is what is known of one layer. Whoever wants to know first
// reads it, and others wait.
type recollection struct {
	sync.Mutex
	known *contents
}

// contents are what a layer holds.
type contents struct {
	entries []Entry
	// unpacked is the number of bytes that came out of its archives.
	unpacked int64
}

// maxHeld is how many entries of a layer are kept while the program runs; what a
// layer with more holds is read again, from the folder if there is one.
const maxHeld = 1 << 16

// NewMemory returns a memory that lasts in a folder, or, if its name is empty,
// as long as the program runs.
func NewMemory(dir string) (*Memory, error) {
	m := &Memory{layers: make(map[string]*recollection)}
	if dir == "" {
		return m, nil
	}
	var err error
	m.folder, err = memory.Open(dir)
	return m, err
}

// layer returns what is in a layer: what is remembered, if the layer is still
// the same, or else what read finds.
func (m *Memory) layer(ctx context.Context, l v1.Layer, diffID v1.Hash, byDigest bool, read func() (*contents, error)) (*contents, error) {
	if m == nil {
		return read()
	}
	key, err := keyOf(l, diffID)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	r := m.layers[key]
	if r == nil {
		r = new(recollection)
		m.layers[key] = r
	}
	m.mu.Unlock()

	r.Lock()
	defer r.Unlock()
	found := r.known
	if found == nil {
		found = m.load(key)
	}
	if found != nil && !byDigest {
		if err := intact(ctx, l); err != nil {
			return nil, err
		}
	}
	if found == nil {
		if found = m.taken(diffID); found == nil {
			if found, err = read(); err != nil {
				return nil, err
			}
		}
		if err := m.save(key, found); err != nil {
			return nil, err
		}
	}
	if len(found.entries) <= maxHeld {
		r.known = found
	}
	return found, nil
}

// Ahead reads a tar of which a layer is being made by this very program, to its end, so that
// [Check] need not read the layer for what is in it. What goes wrong Check tells, which then
// reads for itself.
func (m *Memory) Ahead(ctx context.Context, tar io.ReadCloser) {
	defer tar.Close()
	if m == nil {
		return
	}
	c := new(contents)
	entries, diffID, err := (&reading{ctx: ctx, unpacked: &c.unpacked}).tar(tar)
	if err != nil {
		return
	}
	c.entries = entries
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ahead == nil {
		m.ahead = make(map[v1.Hash]*contents)
	}
	m.ahead[diffID] = c
}

// taken is what was read ahead of the tar of a diff id, once; nil if nothing was.
func (m *Memory) taken(diffID v1.Hash) *contents {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.ahead[diffID]
	delete(m.ahead, diffID)
	return c
}

// keyOf names the layer by all that reading it depends on.
func keyOf(l v1.Layer, diffID v1.Hash) (string, error) {
	digest, err := l.Digest()
	if err != nil {
		return "", err
	}
	mediaType, err := l.MediaType()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n", digest, diffID, mediaType))
	return hex.EncodeToString(sum[:]), nil
}

// A prover is a reader that checks what is read, and ends in an error if it does
// not have the digest.
type prover interface {
	Proves(digest v1.Hash) bool
}

// noSum is for what another sums.
type noSum struct{ hash.Hash }

func (noSum) Write(p []byte) (int, error) { return len(p), nil }

// intact tells whether the layer's bytes have its digest.
func intact(ctx context.Context, l v1.Layer) error {
	want, err := l.Digest()
	if err != nil {
		return err
	}
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	if p, ok := r.(prover); ok && p.Proves(want) {
		_, err := io.Copy(io.Discard, &counted{r: r, ctx: ctx, sum: noSum{}})
		return err
	}
	in := &counted{r: r, ctx: ctx, sum: sha256.New()}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	if got := hex.EncodeToString(in.sum.Sum(nil)); want.Algorithm != "sha256" || got != want.Hex {
		return fmt.Errorf("its bytes have digest sha256:%s, the manifest says %s", got, want)
	}
	return nil
}

// A stored layer is what the folder holds of one.
type stored struct {
	Unpacked int64
	Entries  []storedEntry
}

// A storedEntry is an Entry with all that is not for others to see. What a
// layer may write in any bytes stands in bytes: JSON makes one replacement
// character of all that is no UTF-8, and of two names one.
type storedEntry struct {
	Entry
	Path, Link  []byte
	Caps        []byte   `json:",omitempty"`
	Tool        int      `json:",omitempty"` // its place in tools, counted from 1
	Secrets     []string `json:",omitempty"`
	Certificate bool     `json:",omitempty"`
	Inside      bool     `json:",omitempty"`
	Unopened    string   `json:",omitempty"`
	Content     []byte   // nil and empty differ
}

// load returns what is remembered of a layer in the folder, nil if there is
// nothing or not as it was written.
func (m *Memory) load(key string) *contents {
	if m.folder == nil {
		return nil
	}
	text := m.folder.Load(key)
	if text == nil {
		return nil
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return nil
	}
	c := &contents{make([]Entry, len(s.Entries)), s.Unpacked}
	for i, e := range s.Entries {
		c.entries[i] = e.Entry
		x := &c.entries[i]
		x.Path, x.Link, x.caps, x.secrets, x.certificate, x.inside, x.unopened, x.content =
			string(e.Path), string(e.Link), string(e.Caps), e.Secrets, e.Certificate, e.Inside, e.Unopened, e.Content
		if e.Tool > 0 {
			if e.Tool > len(tools) {
				return nil
			}
			x.tool = tools[e.Tool-1]
		}
	}
	return c
}

func (m *Memory) save(key string, c *contents) error {
	if m.folder == nil {
		return nil
	}
	s := stored{c.unpacked, make([]storedEntry, len(c.entries))}
	for i, e := range c.entries {
		s.Entries[i] = storedEntry{e, []byte(e.Path), []byte(e.Link), []byte(e.caps), slices.Index(tools, e.tool) + 1, e.secrets, e.certificate, e.inside, e.unopened, e.content}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return m.folder.Save(key, text)
}
