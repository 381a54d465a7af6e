package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"temper/checks"
	"temper/checks/pattern"
	"temper/pipeline/evidence"
)

// Publish puts an image or an index into a repository, with the signature and
// the statements on every manifest that they are about, and then moves the
// tags to it. It returns the digest that the tags name.
//
// It wants the report of that very digest, and refuses one that is not OK. It
// wants an SBOM, a provenance and a check report about the whole, and an SBOM
// about each image in an index, and refuses to publish what [Open] would not
// take. Such a "no" is a [*Refusal], and nothing has been pushed. After any
// other error some of it may be in the registry, the tags are where they were
// or name what can be verified, and running Publish again finishes the work.
//
// The statements are signed byte for byte as [evidence.Statement.Bytes] gives
// them. Publishing again with other statements adds those to what is there.
func Publish(ctx context.Context, repo name.Repository, report *checks.Report, artifact mutate.Appendable,
	statements []*evidence.Statement, signer *Signer, tags []string, opts Options) (name.Digest, error) {

	if signer == nil || signer.verifier == nil && signer.later == nil {
		return name.Digest{}, errors.New("no key and no identity to sign with")
	}
	if opts.Layout != nil {
		return name.Digest{}, errors.New("a layout is read here and not published into")
	}
	if err := opts.Format.known(); err != nil {
		return name.Digest{}, err
	}
	if signer.later == nil {
		if err := signer.writes(opts.Format); err != nil {
			return name.Digest{}, err
		}
	}
	repo, err := opts.named(repo)
	if err != nil {
		return name.Digest{}, err
	}
	names, err := tagNames(repo, tags)
	if err != nil {
		return name.Digest{}, err
	}
	whole, ok := artifact.(remote.Taggable)
	if !ok {
		return name.Digest{}, fmt.Errorf("a %T is neither an image nor an index", artifact)
	}
	all, err := local(ctx, artifact)
	if err != nil {
		return name.Digest{}, asRefusal(repo.Name(), err)
	}
	digest := repo.Digest(all[0].Digest.String())
	if err := approved(digest, report); err != nil {
		return name.Digest{}, err
	}
	about, err := sorted(digest, all, statements)
	if err != nil {
		return name.Digest{}, err
	}
	p, err := publishing(ctx, repo, opts.watched(all))
	if err != nil {
		return name.Digest{}, err
	}
	if p.signer, err = p.fillUntil(ctx, artifact, func() (*Signer, error) { return signer.opened(opts.Format) }); err != nil {
		return name.Digest{}, err
	}
	if err := p.push.Push(ctx, digest, whole); err != nil {
		return name.Digest{}, fmt.Errorf("pushing %s: %w", digest, plain(err))
	}
	if err := p.attest(ctx, all, about); err != nil {
		return name.Digest{}, err
	}
	opts.at(Tagging)
	for _, tag := range names {
		if err := p.push.Push(ctx, tag, whole); err != nil {
			return name.Digest{}, fmt.Errorf("moving the tag %s: %w", tag, plain(err))
		}
	}
	return digest, nil
}

// approved is the gate.
func approved(digest name.Digest, report *checks.Report) error {
	switch {
	case report == nil:
		return refuse(Refused, digest.String(), "no report says that it was checked")
	case report.Subject.Digest != digest.DigestStr():
		return refuse(Refused, digest.String(), "the report is about %q", report.Subject.Digest)
	case len(report.Rules) == 0:
		return refuse(Refused, digest.String(), "no rule has looked at it")
	case !report.OK():
		return refuse(Refused, digest.String(), "the report has %d errors", report.Count(checks.Error))
	}
	return nil
}

// sorted returns the statements about each manifest, in the order of the
// manifests, and refuses those that Open would not take.
func sorted(digest name.Digest, all []manifest, statements []*evidence.Statement) ([][]statement, error) {
	claimed := make([]claims, len(all))
	for _, s := range statements {
		if s == nil {
			return nil, refuse(Refused, digest.String(), "one of its statements is nil")
		}
		raw, err := s.Bytes()
		if err != nil {
			return nil, err
		}
		signed, err := evidence.Parse(raw) // as a reader will
		if err != nil {
			return nil, refuse(Refused, digest.String(), "one of its statements is none: %v", err)
		}
		switch {
		case s.PredicateType == signPredicate:
			return nil, refuse(Refused, digest.String(), "one of its statements says that it is a signature")
		case len(raw)/3*4+4096 > maxEnvelope:
			return nil, refuse(Refused, digest.String(), "its %s is too large to be signed (%d bytes)", called(s.PredicateType), len(raw))
		}
		if stranger := stranger(signed, all); stranger != "" {
			return nil, refuse(Refused, digest.String(), "its %s is about %s, which is no part of it", called(s.PredicateType), stranger)
		}
		for i, m := range all {
			if signed.About(m.Digest) && !claimed[i].holds(raw) {
				claimed[i].statements = append(claimed[i].statements, statement{Statement: signed, raw: raw})
			}
		}
	}
	about := make([][]statement, len(all))
	for i, m := range all {
		for _, need := range m.needs() {
			if err := claimed[i].provide(need); err != nil {
				return nil, refuse(Incomplete, digest.String(), "%s has %v", m, err)
			}
		}
		about[i] = claimed[i].statements
	}
	return about, nil
}

// stranger returns a subject of the statement that is no part of the artifact:
// a signed statement speaks for everything that it names, wherever it lies.
func stranger(s *evidence.Statement, all []manifest) string {
	parts := make(map[string]bool)
	for _, m := range all {
		parts[m.Digest.Hex] = true
	}
	for _, sub := range s.Subject {
		if !parts[sub.Digest["sha256"]] {
			return strings.TrimSpace(fmt.Sprintf("%s sha256:%s", sub.Name, sub.Digest["sha256"]))
		}
	}
	return ""
}

// reserved are the tags that mean something to readers of signatures.
var reserved = pattern.New(`^sha256-[0-9a-f]{64}(\.[a-z]+)?$`)

func tagNames(repo name.Repository, tags []string) ([]name.Tag, error) {
	var names []name.Tag
	for _, tag := range tags {
		if tag == "" || reserved().MatchString(tag) {
			return nil, fmt.Errorf("%q cannot be the tag of a release", tag)
		}
		if _, err := name.NewTag(repo.Name() + ":" + tag); err != nil {
			return nil, fmt.Errorf("%q cannot be a tag: %w", tag, err)
		}
		names = append(names, repo.Tag(tag))
	}
	return names, nil
}

// asRefusal turns what is wrong with an artifact into a refusal.
func asRefusal(ref string, err error) error {
	var odd oddity
	if errors.As(err, &odd) {
		return refuse(Refused, ref, "%v", odd)
	}
	return err
}

// A publication is one run of Publish.
type publication struct {
	repo   name.Repository
	signer *Signer
	format Format
	read   *reader
	push   *remote.Pusher
	pull   *remote.Puller
	// patience is that of the options.
	patience time.Duration
	at       func(Stage)

	// sealed are the statements that were signed already, by their bytes. One may
	// be about several manifests, and signing it again would make another
	// signature, for a log to keep and for readers to fetch.
	mu     sync.Mutex
	sealed map[string]func() (*sealed, error)
	// checking are those that are verified meanwhile.
	checking sync.WaitGroup
}

// seal signs a statement once. What a key signed is verified while it is written, so
// that it is known when it comes back; if it is not good, that shows then.
func (p *publication) seal(ctx context.Context, s statement) (*sealed, error) {
	p.mu.Lock()
	if p.sealed == nil {
		p.sealed = make(map[string]func() (*sealed, error))
	}
	once := p.sealed[string(s.raw)]
	if once == nil {
		once = sync.OnceValues(func() (*sealed, error) {
			signed, err := p.signer.seal(ctx, s.raw)
			if by := p.signer.verifier; err == nil && !by.keyless() {
				p.checking.Go(func() {
					// That it is about the manifest has been seen before it was signed.
					if _, err := by.verify(signed.signed, verify.WithoutArtifactUnsafe()); err == nil {
						p.read.known.note(signed.enclosed(by), s.Statement)
					}
				})
			}
			return signed, err
		})
		p.sealed[string(s.raw)] = once
	}
	p.mu.Unlock()
	return once()
}

func publishing(ctx context.Context, repo name.Repository, opts Options) (*publication, error) {
	p := &publication{repo: repo, format: opts.Format, patience: cmp.Or(opts.patience, 2*time.Second), at: opts.at}
	if p.format == "" {
		p.format = Both
	}
	var err error
	if p.read, err = opts.reader(ctx, repo); err != nil {
		return nil, err
	}
	if p.push, err = remote.NewPusher(opts.remote(ctx)...); err != nil {
		return nil, err
	}
	if p.pull, err = remote.NewPuller(opts.remote(ctx)...); err != nil {
		return nil, err
	}
	return p, nil
}

// fillUntil uploads the blobs while a signer is opened, and gives up as soon as there
// will be none. No manifest names them yet, so that a registry lets go of them then.
func (p *publication) fillUntil(ctx context.Context, artifact mutate.Appendable, open func() (*Signer, error)) (*Signer, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var signer *Signer
	var err error
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		if signer, err = open(); err != nil {
			stop(err)
		}
	}()
	filled := p.fill(ctx, artifact, p.read.jobs)
	<-opened
	switch {
	case err != nil:
		return nil, err
	case filled != nil:
		return nil, fmt.Errorf("pushing to %s: %w", p.repo, plain(filled))
	}
	return signer, nil
}

// fill uploads the blobs that the registry does not have. It may have the manifest
// that names them all the same: then no push would look at them, and a registry that
// lost a layer would go on serving an image that nobody can run.
func (p *publication) fill(ctx context.Context, artifact mutate.Appendable, jobs int) error {
	parts := make(map[v1.Hash]partial.WithRawManifest)
	if err := gather(artifact, parts); err != nil {
		return err
	}
	blobs := make(map[v1.Hash]v1.Layer)
	for _, part := range parts {
		img, ok := part.(v1.Image)
		if !ok {
			continue
		}
		layers, err := img.Layers()
		if err != nil {
			return err
		}
		config, err := partial.ConfigLayer(img)
		if err != nil {
			return err
		}
		for _, layer := range append(layers, config) {
			digest, err := layer.Digest()
			if err != nil {
				return err
			}
			blobs[digest] = layer
		}
	}
	all := slices.Collect(maps.Values(blobs))
	return each(ctx, jobs, len(all), func(ctx context.Context, i int) error {
		return p.push.Upload(ctx, p.repo, all[i])
	})
}

// attest attaches what belongs to each manifest, and then verifies the whole
// as Open does. Where another releaser took something away between the two, it
// does both again.
func (p *publication) attest(ctx context.Context, all []manifest, about [][]statement) error {
	work := make([]*attachment, len(all))
	for i, m := range all {
		work[i] = &attachment{
			publication: p, manifest: m, statements: about[i],
			bundles:   make(map[string]*referrer),
			envelopes: make(map[string]mutate.Addendum),
		}
	}
	const times = 3
	for attempt := 1; ; attempt++ {
		p.at(Signing)
		err := each(ctx, p.read.jobs, len(work), func(ctx context.Context, i int) error {
			return work[i].attach(ctx)
		})
		if err != nil {
			return err
		}
		p.at(ReadingBack)
		p.checking.Wait()
		ref := p.repo.Digest(all[0].Digest.String())
		_, err = p.read.open(ctx, ref.String(), all[0].Digest, nil, p.signer.verifier, Policy{Format: p.format})
		var no *Refusal
		switch refused := errors.As(err, &no); {
		case err == nil:
			return nil
		case !refused:
			return fmt.Errorf("reading back what was published: %w", err)
		case attempt == times: // no longer a refusal: what was refused has been pushed
			return fmt.Errorf("reading back what was published: %v", no)
		}
	}
}
