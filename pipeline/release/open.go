package release

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
)

// A Policy says what an image must carry to be a release. The zero value asks
// for all that Publish writes, in either form.
type Policy struct {
	// Format is the form that counts: empty means that either will do, and
	// Both that each must hold everything.
	Format Format
	// SignatureOnly asks for signatures and for no evidence, as is right for
	// what others sign: a base image.
	SignatureOnly bool
	// Needs are the predicate types of the statements that must be about the
	// whole, and those of SBOMs about each image in it too. Nil stands for SBOM,
	// provenance and check report.
	Needs []string
	// Annotations are what one trusted signature of the whole must carry, all of
	// them: cosign sign -a has a signature say more than that it is one. What other
	// signatures carry, and what stands in a manifest, is not looked at.
	Annotations map[string]string
}

func (p Policy) needs(m manifest) []string {
	switch {
	case p.SignatureOnly:
		return nil
	case p.Needs == nil:
		return m.needs()
	case m.top:
		return p.Needs
	case m.runs():
		return slices.DeleteFunc(slices.Clone(p.Needs), func(t string) bool { return t != evidence.SPDX && t != evidence.CycloneDX })
	}
	return nil
}

// judge says whether what is claimed of a manifest suffices: all forms
// together, or each on its own if the policy names the form.
func (p Policy) judge(forms []*claims, m manifest, by *Verifier) error {
	if p.Format == "" {
		forms = []*claims{join(forms...)}
	}
	for _, c := range forms {
		if err := c.judge(m, p.needs(m), by); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the claims of the one signer whose claims suffice for all
// manifests; noes are what is wrong with those themselves. Where a pattern is
// believed there may be several signers: each is judged on their own, for
// evidence of one is none for what another signed.
func (p Policy) choose(found [][]*claims, noes []error, all []manifest, by *Verifier) ([][]*claims, error) {
	for _, c := range found[0] {
		if c != nil {
			c.want(p.Annotations)
		}
	}
	judge := func(found [][]*claims) error {
		for i := range all { // the first no in the order of the manifests, so that the answer is the same every time
			if noes[i] != nil {
				return noes[i]
			}
			if err := p.judge(found[i], all[i], by); err != nil {
				return err
			}
		}
		return nil
	}
	signers := join(found[0]...).signers()
	if len(signers) == 0 {
		return nil, judge(found)
	}
	var no error
	for _, who := range signers {
		mine := make([][]*claims, len(found))
		for i, forms := range found {
			for _, c := range forms {
				mine[i] = append(mine[i], c.of(who))
			}
		}
		err := judge(mine)
		if err == nil {
			return mine, nil
		}
		no = cmp.Or(no, err)
	}
	return nil, no
}

// A Pinned reference has a tag and a digest: the image is the digest's, if the
// tag still names it.
type Pinned struct {
	name.Digest
	Tag name.Tag
}

func (p Pinned) String() string { return p.Tag.String() + "@" + p.DigestStr() }

// Parse reads a reference. Unlike name.ParseReference it does not drop the tag
// of one that has a digest too, but returns a [Pinned].
func Parse(ref string) (name.Reference, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, err
	}
	digest, ok := parsed.(name.Digest)
	if !ok {
		return parsed, nil
	}
	if !strings.HasPrefix(digest.DigestStr(), "sha256:") {
		return nil, fmt.Errorf("%s: images are signed by their sha256 digest", ref)
	}
	before, _, _ := strings.Cut(ref, "@")
	if last := before[strings.LastIndex(before, "/")+1:]; !strings.Contains(last, ":") {
		return digest, nil
	}
	tag, err := name.NewTag(before)
	if err != nil {
		return nil, err
	}
	return Pinned{Digest: digest, Tag: tag}, nil
}

// Open gets a release from a registry. It asks once what a tag names, and then
// holds on to the digest. Whatever the policy says, the image and every
// manifest in it must be signed.
//
// The error is a [*Refusal] if the image does not pass, [ErrNotFound] if there
// is none, and another if it could not be looked at.
func Open(ctx context.Context, ref name.Reference, by *Verifier, policy Policy, opts Options) (*Release, error) {
	if err := by.known(); err != nil {
		return nil, err
	}
	if err := policy.Format.known(); err != nil {
		return nil, err
	}
	r, err := opts.reader(ctx, ref.Context())
	if err != nil {
		return nil, err
	}
	top, raw, err := r.resolve(ctx, ref)
	if err != nil {
		return nil, asked(ref, err)
	}
	return r.open(ctx, ref.String(), top, raw, by, policy)
}

// asked says of an error what was asked for.
func asked(ref name.Reference, err error) error {
	var no *Refusal
	switch {
	case errors.As(err, &no):
		return err
	case errors.Is(err, errAltered):
		return refuse(Altered, ref.String(), "%v", err)
	case errors.Is(err, errTooLarge):
		return refuse(Untrusted, ref.String(), "%v", err)
	case missing(err):
		return fmt.Errorf("%s: %w: %w", ref, ErrNotFound, err)
	}
	return fmt.Errorf("reading %s: %w", ref, err)
}

// resolve returns the digest that the reference stands for, and the manifest
// where it had to be fetched to know.
func (r *reader) resolve(ctx context.Context, ref name.Reference) (v1.Hash, []byte, error) {
	switch ref := ref.(type) {
	case name.Tag:
		raw, digest, err := r.tagged(ctx, ref.TagStr())
		return digest, raw, err
	case name.Digest, Stored:
		digest, err := v1.NewHash(ref.Identifier())
		return digest, nil, err
	case Pinned:
		raw, now, err := r.tagged(ctx, ref.Tag.TagStr())
		if err != nil {
			return v1.Hash{}, nil, err
		}
		if now.String() != ref.DigestStr() {
			return v1.Hash{}, nil, refuse(Moved, ref.String(), "the tag now names %s", now)
		}
		return now, raw, nil
	}
	return v1.Hash{}, nil, fmt.Errorf("a %T is neither a tag nor a digest", ref)
}

// open verifies what has the digest. The raw manifest may be nil.
func (r *reader) open(ctx context.Context, ref string, top v1.Hash, raw []byte, by *Verifier, policy Policy) (*Release, error) {
	all, err := r.manifests(ctx, top, raw)
	if err != nil {
		return nil, r.unreadable(ref, top, len(all) > 0, err)
	}
	rel := &Release{Ref: ref, Digest: r.repo.Digest(top.String()), Signer: by.String()}
	found := make([][]*claims, len(all))
	platforms := make([]*Platform, len(all))
	noes := make([]error, len(all))
	err = each(ctx, r.jobs, len(all), func(ctx context.Context, i int) (err error) {
		platforms[i], err = r.platform(ctx, all[i])
		if err == nil {
			found[i], err = r.claims(ctx, all[i].Digest, by, policy.Format)
		}
		if no := (*Refusal)(nil); errors.As(err, &no) {
			no.Ref = ref
			noes[i], err = no, nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking at %s: %w", ref, err)
	}
	if found, err = policy.choose(found, noes, all, by); err != nil {
		if no := (*Refusal)(nil); errors.As(err, &no) {
			no.Ref = ref
		}
		return nil, err
	}
	whole := join(found[0]...)
	if who := whole.signings[0].by; who != (Identity{}) {
		rel.Signer, rel.Identity, rel.Signed = who.String(), who, whole.first()
	}
	rel.Forms = signedIn(found[0])
	rel.Statements = whole.sorted()
	for i, p := range platforms {
		if p != nil {
			p.Statements = join(found[i]...).sorted()
			rel.Platforms = append(rel.Platforms, *p)
		}
	}
	return rel, nil
}

// manifests reads the manifests that an artifact is made of. The raw manifest of
// the whole may be nil.
func (r *reader) manifests(ctx context.Context, top v1.Hash, raw []byte) ([]manifest, error) {
	return manifests(ctx, v1.Descriptor{Digest: top}, func(ctx context.Context, desc v1.Descriptor) ([]byte, error) {
		if desc.Digest == top && raw != nil {
			return raw, nil
		}
		return r.manifest(ctx, desc.Digest, maxManifest)
	})
}

// unreadable says what it means that the manifests cannot be read: for the
// first of them that there is no image, for the others that it has a hole.
func (r *reader) unreadable(ref string, top v1.Hash, inside bool, err error) error {
	var odd oddity
	switch {
	case errors.As(err, &odd):
		return refuse(Untrusted, ref, "%v", odd)
	case errors.Is(err, errAltered):
		return refuse(Altered, ref, "%v", err)
	case errors.Is(err, errTooLarge):
		return refuse(Untrusted, ref, "%v", err)
	case missing(err) && inside:
		return refuse(Incomplete, ref, "%s names a manifest that the %s does not have: %v", top, r.place, err)
	case missing(err):
		return fmt.Errorf("%s: %w: %w", ref, ErrNotFound, err)
	}
	return fmt.Errorf("reading %s: %w", ref, err)
}

// claims reads what is claimed of a manifest in the forms that count.
func (r *reader) claims(ctx context.Context, about v1.Hash, by *Verifier, format Format) ([]*claims, error) {
	var inBundles *fetchedBundles
	var inTags *fetchedTags
	err := each(ctx, r.jobs, 2, func(ctx context.Context, i int) (err error) {
		switch {
		case i == 0 && format.has(Bundle):
			inBundles, err = r.fetchBundles(ctx, about)
		case i == 1 && format.has(Legacy):
			inTags, err = r.fetchTags(ctx, about)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// One after the other: what a key signed is the same in both, and looked at once.
	var forms []*claims
	if inBundles != nil {
		forms = append(forms, inBundles.claims(r.known, about, by))
	}
	if inTags != nil {
		forms = append(forms, inTags.claims(ctx, r.known, about, by))
	}
	return forms, nil
}

// platform reads an image's configuration, which the manifest names by its
// digest, and says what it runs on; nil for what runs nowhere. A configuration
// that names no platform, as an artifact's, makes one without a name.
func (r *reader) platform(ctx context.Context, m manifest) (*Platform, error) {
	if !m.runs() {
		return nil, nil
	}
	raw, err := r.blob(ctx, *m.config, maxManifest)
	switch {
	case errors.Is(err, errAltered):
		return nil, refuse(Altered, "", "the configuration of %s: %v", m, err)
	case useless(err):
		return nil, refuse(Incomplete, "", "the configuration of %s: %v", m, err)
	case err != nil:
		return nil, fmt.Errorf("reading the configuration of %s: %w", m, err)
	}
	for _, layer := range m.layers {
		if !layer.MediaType.IsDistributable() {
			continue // it is somewhere else, as its media type says
		}
		switch err := r.has(ctx, layer); {
		case errors.Is(err, errAltered):
			return nil, refuse(Altered, "", "a layer of %s: %v", m, err)
		case missing(err):
			return nil, refuse(Incomplete, "", "%s has a layer that the %s does not have: %s", m, r.place, layer.Digest)
		case err != nil:
			return nil, fmt.Errorf("looking for the layers of %s: %w", m, err)
		}
	}
	on := m.Platform
	if on == nil {
		on = &v1.Platform{} // its fields have the same names in a configuration
		if err := json.Unmarshal(raw, on); err != nil {
			return nil, refuse(Untrusted, "", "the configuration of %s is malformed: %v", m, err)
		}
	}
	return &Platform{Name: on.String(), Digest: m.Digest}, nil
}

func signedIn(forms []*claims) (in []Format) {
	for _, c := range forms {
		if c.signed() {
			in = append(in, c.form)
		}
	}
	return in
}

// sorted returns the statements in an order that does not depend on the one in
// which the registry lists them.
func (c *claims) sorted() (all []*evidence.Statement) {
	slices.SortStableFunc(c.statements, func(a, b statement) int {
		return cmp.Or(strings.Compare(a.PredicateType, b.PredicateType), bytes.Compare(a.raw, b.raw))
	})
	for _, s := range c.statements {
		all = append(all, s.Statement)
	}
	return all
}
