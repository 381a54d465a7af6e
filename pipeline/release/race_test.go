package release

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Many release one image at the same moment, each with a key and a tag of their
// own. With the registry's own list nothing is lost of what it holds; where a tag
// stands for it, and under the legacy tags, a releaser can lose what another
// overwrites after its last look. Then its own Open refuses, and nothing else is
// told of it; once everybody has published again, one after the other, all is
// there, each once.
func TestPublishAtOnce(t *testing.T) {
	const releasers = 5
	for _, kind := range kinds {
		for _, format := range []Format{Both, Bundle, Legacy} {
			t.Run(kind.name+", "+string(format), func(t *testing.T) {
				h, p := serve(t, kind.referrers), anImage(t, 1)
				opts := h.options()
				opts.Format, opts.patience = format, 30*time.Millisecond
				signers := make([]*Signer, releasers)
				for i := range signers {
					signers[i] = newKey(t)
				}
				tag := func(i int) string { return fmt.Sprintf("v%d", i) }
				errs := make([]error, releasers)
				start := make(chan struct{})
				var wg sync.WaitGroup
				for i, signer := range signers {
					wg.Go(func() {
						<-start
						_, errs[i] = Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, []string{tag(i)}, opts)
					})
				}
				close(start)
				wg.Wait()

				lost := 0
				for i, signer := range signers {
					if errs[i] != nil {
						t.Errorf("%s is not published: %v", tag(i), errs[i])
						continue
					}
					_, err := Open(context.Background(), h.refTo(t, ":"+tag(i)), signer.Verifier(), Policy{Format: format}, opts)
					var no *Refusal
					switch {
					case err == nil:
					case kind.referrers && format == Bundle:
						t.Errorf("%s was published, and is lost: %v", tag(i), err)
					case errors.As(err, &no):
						lost++
					default:
						t.Errorf("%s: %v", tag(i), err)
					}
				}
				t.Logf("%d of %d were overwritten after their last look", lost, releasers)

				for i, signer := range signers {
					p.publish(t, h, signer, opts, tag(i))
				}
				want := counts{}
				if format.has(Bundle) {
					want.Referrers = 4 * releasers
				}
				if format.has(Legacy) {
					want.Signatures, want.Attestations = releasers, 3*releasers
				}
				for i, signer := range signers {
					if _, err := Open(context.Background(), h.refTo(t, ":"+tag(i)), signer.Verifier(), Policy{Format: format}, opts); err != nil {
						t.Errorf("after publishing again: %v", err)
					}
				}
				if diff := cmp.Diff(want, h.attached(t, signers[0], p.digest)); diff != "" {
					t.Errorf("what is attached (-want +got):\n%s", diff)
				}
			})
		}
	}
}
