package release

import (
	"context"
	"testing"

	"temper/pipeline/release/releasetest"
)

// What a release of two platforms costs beside the network: nanoseconds, and
// requests, each of which is a round trip in the end.
func BenchmarkRelease(b *testing.B) {
	p, signer := anIndex(b, 1), newKey(b)
	for _, kind := range kinds {
		for _, format := range []Format{Both, Bundle, Legacy} {
			for _, tc := range []struct {
				name             string
				prepare, measure func(h *host, opts Options)
			}{
				{"publish", func(*host, Options) {}, func(h *host, opts Options) { p.publish(b, h, signer, opts, "v1") }},
				{"publish again", func(h *host, opts Options) { p.publish(b, h, signer, opts, "v1") },
					func(h *host, opts Options) { p.publish(b, h, signer, opts, "v1") }},
				{"open", func(h *host, opts Options) { p.publish(b, h, signer, opts, "v1") }, func(h *host, opts Options) {
					if _, err := Open(context.Background(), h.repo(b).Tag("v1"), signer.Verifier(), Policy{Format: format}, h.options()); err != nil {
						b.Fatal(err)
					}
				}},
			} {
				b.Run(tc.name+"/"+kind.name+"/"+string(format), func(b *testing.B) {
					requests := 0
					for range b.N {
						b.StopTimer()
						h := serve(b, kind.referrers)
						opts := h.options()
						opts.Format = format
						tc.prepare(h, opts)
						h.requests()
						b.StartTimer()
						tc.measure(h, opts)
						b.StopTimer()
						requests += len(h.requests())
						h.Close()
						b.StartTimer()
					}
					b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
				})
			}
		}
	}
}

// The same without a key: the services are on loopback, and sign as much.
func BenchmarkKeyless(b *testing.B) {
	p, f := anIndex(b, 1), newFoundry(b)
	signer := f.signer(b, f.keyless(b))
	b.Run("publish", func(b *testing.B) {
		for b.Loop() {
			h := serve(b, true)
			p.publish(b, h, signer, h.options(), "v1")
		}
	})
	h := serve(b, true)
	p.publish(b, h, signer, h.options(), "v1")
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, err := Open(context.Background(), h.repo(b).Tag("v1"), signer.Verifier(), Policy{}, h.options()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("certificate", func(b *testing.B) {
		for b.Loop() {
			f.signer(b, f.keyless(b))
		}
	})
}

// What it costs a build to know who signed its base.
func BenchmarkVerifySigner(b *testing.B) {
	for _, form := range []Format{Bundle, Legacy} {
		b.Run(string(form), func(b *testing.B) {
			s := stall{serve(b, true), anIndex(b, 1), releasetest.New(b), form}
			s.push(b, s.host, "v1")
			s.signs(b, s.sigstore, distroless, s.digest)
			by, ref := believing(b, s.sigstore, distroless), s.repo(b).Digest(s.digest.String())
			s.requests()
			for b.Loop() {
				if _, err := VerifySigner(context.Background(), ref, by, s.options()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(s.requests()))/float64(b.N), "requests/op")
		})
	}
}
