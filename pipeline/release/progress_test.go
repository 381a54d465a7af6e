package release

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPublishTellsHowFarItIs(t *testing.T) {
	h, p, signer := serve(t, true), anIndex(t, 1), newKey(t)
	var mu sync.Mutex
	var stages []Stage
	var sent, total int64
	opts := h.options()
	opts.Progress = func(now Progress) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(stages, now.Stage) {
			stages = append(stages, now.Stage)
		}
		if now.Stage == Pushing {
			sent, total = max(sent, now.Sent), now.Total
		}
	}
	p.publish(t, h, signer, opts, "v1")
	if diff := cmp.Diff([]Stage{Pushing, Signing, ReadingBack, Tagging}, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if total == 0 || sent != total {
		t.Errorf("%d of %d bytes sent", sent, total)
	}

	// What is there is not sent again.
	sent, stages = 0, nil
	p.publish(t, h, signer, opts, "v2")
	if sent != 0 || len(stages) != 4 {
		t.Errorf("again: %d bytes sent, stages %q", sent, stages)
	}
}
