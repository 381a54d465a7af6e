package release

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A Stage is what Publish is at.
type Stage string

// The stages, in their order. Where another releaser writes at the same time,
// the middle two may come again.
const (
	Pushing     Stage = "pushing"
	Signing     Stage = "signing"
	ReadingBack Stage = "reading back"
	Tagging     Stage = "tagging"
)

// A Progress is how far Publish has come.
type Progress struct {
	Stage Stage
	// Sent and Total are bytes of layers and configurations while it pushes. What
	// the registry has already is not sent, and what is sent again counts again.
	Sent, Total int64
}

// at tells of a stage.
func (o Options) at(stage Stage) {
	if o.Progress == nil {
		return
	}
	if s, ok := o.Transport.(*sending); ok {
		s.over.Store(stage != Pushing) // what is attached is no part of the image
	}
	o.Progress(Progress{Stage: stage})
}

// watched returns the options with a transport that tells how much of an
// artifact was sent.
func (o Options) watched(all []manifest) Options {
	if o.Progress == nil {
		return o
	}
	var total int64
	seen := make(map[v1.Hash]bool)
	for _, m := range all {
		blobs := slices.Clone(m.layers)
		if m.config != nil {
			blobs = append(blobs, *m.config)
		}
		for _, blob := range blobs {
			if !seen[blob.Digest] {
				seen[blob.Digest], total = true, total+blob.Size
			}
		}
	}
	o.Transport = &sending{RoundTripper: o.transport(), tell: o.Progress, total: total}
	o.Progress(Progress{Pushing, 0, total})
	return o
}

// sending is a transport that counts what is uploaded.
type sending struct {
	http.RoundTripper
	tell  func(Progress)
	total int64
	sent  atomic.Int64
	over  atomic.Bool
}

func (s *sending) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && strings.Contains(r.URL.Path, "/blobs/uploads/") {
		again := r.Clone(r.Context())
		again.Body = &counting{r.Body, s}
		r = again
	}
	return s.RoundTripper.RoundTrip(r)
}

type counting struct {
	io.ReadCloser
	*sending
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 && !c.over.Load() {
		c.tell(Progress{Pushing, c.sent.Add(int64(n)), c.total})
	}
	return n, err
}
