package release

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// maxAttempts is how often what belongs to a manifest is written before giving
// up: others may be writing the same tags.
const maxAttempts = 12

// An attachment is a signature and statements on their way to one manifest.
type attachment struct {
	*publication
	manifest
	statements []statement

	// bundles, envelopes and simple are what was signed already, by the bytes
	// of the statement. Signing again would make other bytes, so that writing
	// again would add to what is there.
	bundles   map[string]*referrer
	envelopes map[string]mutate.Addendum
	simple    *mutate.Addendum

	// seen is what was seen in tags that others write too, and what was written into
	// the legacy ones.
	seen struct{ referrers, signatures, envelopes []v1.Descriptor }
	// wrote tells that legacy tags were written in this attempt.
	wrote bool
}

// attach writes what is not there, and looks again, until all is there: its
// own entries, and those of others that it saw. The two forms are written side by
// side, and what goes into one of them one after the other.
func (a *attachment) attach(ctx context.Context) error {
	a.wrote = false
	return each(ctx, a.read.jobs, 2, func(ctx context.Context, i int) error {
		switch {
		case i == 0 && a.format.has(Bundle):
			return a.settle(ctx, "bundles", a.attachBundles)
		case i == 1 && a.format.has(Legacy):
			return a.settle(ctx, "legacy signatures", a.attachLegacy)
		}
		return nil
	})
}

// settle calls a function that writes what is not there until it has nothing to
// write, and nothing that another can have overwritten since.
func (a *attachment) settle(ctx context.Context, what string, write func(context.Context) (wrote int, err error)) error {
	for attempt := range maxAttempts {
		if err := pause(ctx, attempt, a.patience); err != nil {
			return err
		}
		wrote, err := write(ctx)
		if err != nil {
			return fmt.Errorf("attaching %s to %s: %w", what, a.manifest, err)
		}
		if wrote == 0 {
			return nil
		}
	}
	return fmt.Errorf("what was attached to %s is not there after %d attempts: others write the same tags, or more than %d things refer to it", a.manifest, maxAttempts, maxCandidates)
}

// pause waits before an attempt that follows a look which found something
// missing: longer every time, and never as long as another releaser does.
func pause(ctx context.Context, attempt int, longest time.Duration) error {
	if attempt < 2 { // before writing, and before looking at what was written
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(min(longest, 5*time.Millisecond<<attempt))):
		return nil
	}
}

// lost returns what was seen and is not there now, and remembers what is.
func lost(seen *[]v1.Descriptor, now []v1.Descriptor) (gone []v1.Descriptor) {
	for _, d := range *seen {
		if !slices.ContainsFunc(now, func(n v1.Descriptor) bool { return same(n, d) }) {
			gone = append(gone, d)
		}
	}
	remember(seen, now)
	return gone
}

func remember(seen *[]v1.Descriptor, now []v1.Descriptor) {
	for _, n := range now {
		if !slices.ContainsFunc(*seen, func(d v1.Descriptor) bool { return same(n, d) }) {
			*seen = append(*seen, n)
		}
	}
}

// same tells whether two entries are one. Two legacy signatures of one
// manifest have the same payload, and differ in an annotation.
func same(a, b v1.Descriptor) bool {
	return a.Digest == b.Digest && a.Annotations[signatureAnnotation] == b.Annotations[signatureAnnotation]
}
