package release

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"temper/checks/pattern"
)

// A registry holds what anybody put there, so what is read of it is bounded.
const (
	// maxManifest is the size every registry accepts of a manifest.
	// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
	maxManifest = 4 << 20
	// maxPages bounds the list of the referrers of one manifest.
	maxPages = 16
	// maxListed is how many entries of a list are read. A manifest of {},{},...
	// holds more than a million, and each takes fifty times its size in memory.
	maxListed = 4096
	// maxReferrer is the size of a manifest that refers to another: that of a
	// bundle has one layer.
	maxReferrer = 256 << 10
	// maxCandidates is how many of them are looked at, and how many layers of
	// a legacy tag.
	maxCandidates = 256
	// maxEnvelope is the size of one signed statement: the SBOM of a service
	// with a thousand modules is half a megabyte.
	maxEnvelope = 16 << 20
	// maxEvidence is the size of all that is fetched for one manifest, but for its
	// legacy signatures: half of it in each form, for they are fetched side by side.
	maxEvidence = 64 << 20
	// maxSignatures is that of all legacy signatures of one manifest, which are some
	// hundred bytes each.
	maxSignatures = 4 << 20
)

// A reader reads from one repository.
type reader struct {
	repo   name.Repository
	client *http.Client
	jobs   int
	// known are the envelopes that were verified for it.
	known *known
	// place is what is read: a registry or a layout.
	place string
}

func (o Options) reader(ctx context.Context, repo name.Repository) (*reader, error) {
	switch stored := repo.RegistryStr() == layoutHost; {
	case stored != (o.Layout != nil):
		return nil, fmt.Errorf("%s is not where it is looked for: a layout holds what is stored in it, and nothing else does", repo)
	case stored:
		return &reader{repo: repo, client: &http.Client{Transport: o.Layout}, jobs: o.jobs(), place: "layout", known: new(known)}, nil
	}
	repo, err := o.named(repo)
	if err != nil {
		return nil, err
	}
	rt, err := o.reading(ctx, repo)
	if err != nil {
		return nil, err
	}
	return &reader{repo: repo, client: &http.Client{Transport: rt}, jobs: o.jobs(), place: "registry", known: new(known)}, nil
}

func (o Options) keychain() authn.Keychain {
	switch {
	case o.Layout != nil:
		return authn.NewMultiKeychain() // nobody to ask
	case o.Keychain == nil:
		return authn.DefaultKeychain
	}
	return o.Keychain
}

func (o Options) transport() http.RoundTripper {
	switch {
	case o.Layout != nil:
		return o.Layout
	case o.Transport == nil:
		return encrypted{network{}, o.Insecure}
	}
	return encrypted{o.Transport, o.Insecure}
}

// remote returns the options as go-containerregistry takes them, for writing.
func (o Options) remote(ctx context.Context) []remote.Option {
	opts := []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(o.keychain()),
		remote.WithTransport(o.transport()),
		remote.WithJobs(o.jobs()),
		remote.WithRetryPredicate(passing),
		remote.WithRetryStatusCodes(passingCodes...),
	}
	if o.backoff.Steps > 0 {
		opts = append(opts, remote.WithRetryBackoff(o.backoff))
	}
	return opts
}

// passingCodes are the answers that may be different next time.
var passingCodes = []int{
	http.StatusRequestTimeout,
	http.StatusTooManyRequests,
	http.StatusInternalServerError,
	http.StatusBadGateway,
	http.StatusServiceUnavailable,
	http.StatusGatewayTimeout,
}

// passing tells whether an error of a request may be gone next time.
func passing(err error) bool {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return slices.Contains(passingCodes, answer.StatusCode)
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// plain takes the address out of an error of a request: storage behind a
// registry is addressed with signatures in the query, which are secrets.
func plain(err error) error {
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	where, perr := url.Parse(request.URL)
	if perr != nil || where.Host == layoutHost {
		return request.Err
	}
	return fmt.Errorf("%s %s%s: %w", strings.ToUpper(request.Op), where.Host, where.Path, request.Err)
}

// get fetches one address of the registry, and no more than limit bytes of it.
func (r *reader) get(ctx context.Context, where *url.URL, accept string, limit int64) ([]byte, http.Header, error) {
	const attempts = 3 // at a body that breaks off; the transport retries the rest
	for attempt := 1; ; attempt++ {
		body, header, err := r.getOnce(ctx, where, accept, limit)
		if errors.Is(err, io.ErrUnexpectedEOF) && attempt < attempts {
			continue
		}
		return body, header, err
	}
}

func (r *reader) getOnce(ctx context.Context, where *url.URL, accept string, limit int64) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, nil, plain(err)
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", where.Path, err)
	}
	if int64(len(body)) > limit {
		return nil, nil, fmt.Errorf("%s %w (%d bytes)", where.Path, errTooLarge, limit)
	}
	return body, resp.Header, nil
}

// has asks whether the registry has a blob of that size, and fetches nothing.
func (r *reader) has(ctx context.Context, desc v1.Descriptor) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, r.url("blobs", desc.Digest.String()).String(), nil)
	if err != nil {
		return err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return plain(err)
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return err
	}
	if resp.ContentLength >= 0 && resp.ContentLength != desc.Size {
		return fmt.Errorf("blob %s %w: it has %d bytes, not %d", desc.Digest, errAltered, resp.ContentLength, desc.Size)
	}
	return nil
}

func (r *reader) url(kind, id string) *url.URL {
	return &url.URL{
		Scheme: r.repo.Scheme(),
		Host:   r.repo.RegistryStr(),
		Path:   fmt.Sprintf("/v2/%s/%s/%s", r.repo.RepositoryStr(), kind, id),
	}
}

// acceptManifest is every kind of manifest that can be an image, an index or
// an artifact.
var acceptManifest = strings.Join([]string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
}, ",")

// tagged fetches the manifest that a tag names now.
func (r *reader) tagged(ctx context.Context, tag string) ([]byte, v1.Hash, error) {
	raw, header, err := r.get(ctx, r.url("manifests", tag), acceptManifest, maxManifest)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	digest := hash(raw)
	if said, err := v1.NewHash(header.Get("Docker-Content-Digest")); err == nil && said.Algorithm == digest.Algorithm && said != digest {
		return nil, v1.Hash{}, fmt.Errorf("the manifest that the registry calls %s %w", said, errAltered)
	}
	return raw, digest, nil
}

// manifest fetches a manifest of at most limit bytes by its digest.
func (r *reader) manifest(ctx context.Context, digest v1.Hash, limit int64) ([]byte, error) {
	raw, _, err := r.get(ctx, r.url("manifests", digest.String()), acceptManifest, limit)
	if err != nil {
		return nil, err
	}
	if hash(raw) != digest {
		return nil, fmt.Errorf("manifest %s %w", digest, errAltered)
	}
	return raw, nil
}

// blob fetches a blob of at most limit bytes.
func (r *reader) blob(ctx context.Context, desc v1.Descriptor, limit int64) ([]byte, error) {
	if desc.Size > limit {
		return nil, fmt.Errorf("%s %w (%d bytes)", desc.Digest, errTooLarge, limit)
	}
	raw, _, err := r.get(ctx, r.url("blobs", desc.Digest.String()), "*/*", limit)
	if err != nil {
		return nil, err
	}
	if hash(raw) != desc.Digest {
		return nil, fmt.Errorf("blob %s %w", desc.Digest, errAltered)
	}
	return raw, nil
}

// A fetched blob, or why it is no evidence.
type fetched struct {
	v1.Descriptor
	raw  []byte
	none error
}

// blobs fetches the blobs that may be evidence, several at a time. The small
// ones come first into what may be fetched, so that nothing large that somebody
// put there keeps a signature out. They have at most limit bytes together.
func (r *reader) blobs(ctx context.Context, descs []v1.Descriptor, limit int64) ([]fetched, error) {
	all := make([]fetched, len(descs))
	bySize := make([]*fetched, len(descs))
	for i, desc := range descs {
		all[i].Descriptor = desc
		bySize[i] = &all[i]
	}
	slices.SortStableFunc(bySize, func(a, b *fetched) int { return cmp.Compare(a.Size, b.Size) })
	left := limit
	for _, f := range bySize {
		if left -= max(f.Size, 0); left < 0 {
			f.none = fmt.Errorf("%s %w (%d bytes for one manifest)", short(f.Digest), errTooLarge, limit)
		}
	}
	return all, each(ctx, r.jobs, len(all), func(ctx context.Context, i int) (err error) {
		if all[i].none != nil {
			return nil
		}
		all[i].raw, err = r.blob(ctx, all[i].Descriptor, min(all[i].Size, maxEnvelope))
		if useless(err) {
			all[i].none, err = err, nil
		}
		return err
	})
}

// each does n pieces of work, several at a time.
func each(ctx context.Context, jobs, n int, work func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	for i := range n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return work(ctx, i)
		})
	}
	return g.Wait()
}

// referrers lists what refers to the manifest, and tells whether the registry
// keeps that list itself. Where it does not, the list stands under a tag.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
func (r *reader) referrers(ctx context.Context, manifest v1.Hash) (list []v1.Descriptor, kept bool, err error) {
	next := r.url("referrers", manifest.String())
	for page := 0; next != nil && page < maxPages && len(list) < maxListed; page++ {
		raw, header, err := r.get(ctx, next, string(types.OCIImageIndex), maxManifest)
		if page == 0 && (lacksReferrers(err) || err == nil && !isIndex(header)) {
			list, err := r.referrersTag(ctx, manifest)
			return list, false, err
		}
		if err != nil {
			return nil, true, err
		}
		some, err := parseReferrers(raw)
		if err != nil {
			return nil, true, err
		}
		list = append(list, some...)
		next = nextPage(next, header)
	}
	return list, true, nil
}

// lacksReferrers tells whether the answer means that the registry has no
// referrers API; the codes are those that go-containerregistry takes so.
func lacksReferrers(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) &&
		slices.Contains([]int{http.StatusNotFound, http.StatusBadRequest, http.StatusNotAcceptable}, answer.StatusCode)
}

func isIndex(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && mediaType == string(types.OCIImageIndex)
}

func (r *reader) referrersTag(ctx context.Context, manifest v1.Hash) ([]v1.Descriptor, error) {
	raw, _, err := r.tagged(ctx, referrersTag(manifest))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseReferrers(raw)
}

func referrersTag(manifest v1.Hash) string { return manifest.Algorithm + "-" + manifest.Hex }

func parseReferrers(raw []byte) ([]v1.Descriptor, error) {
	var index struct {
		Manifests descriptors `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("the list of referrers %w: %v", errAltered, err)
	}
	return index.Manifests, nil
}

// descriptors are a list of a registry's; one that is too long is none.
type descriptors []v1.Descriptor

// UnmarshalJSON reads one entry after the other, so that a list which is too
// long takes no memory.
func (d *descriptors) UnmarshalJSON(raw []byte) error {
	*d = nil
	in := json.NewDecoder(bytes.NewReader(raw))
	if start, err := in.Token(); err != nil || start == nil {
		return err // or null
	}
	*d = descriptors{}
	for in.More() {
		if len(*d) == maxListed {
			return fmt.Errorf("a list %w (%d entries)", errTooLarge, maxListed)
		}
		var one v1.Descriptor
		if err := in.Decode(&one); err != nil {
			return err
		}
		*d = append(*d, one)
	}
	return nil
}

var nextLink = pattern.New(`<([^>]*)>\s*;.*\brel="?next"?`)

// nextPage returns the address of the next page, nil if this was the last. A
// page stands in the same registry.
func nextPage(page *url.URL, header http.Header) *url.URL {
	link := nextLink().FindStringSubmatch(header.Get("Link"))
	if link == nil {
		return nil
	}
	next, err := page.Parse(link[1])
	if err != nil || next.Host != page.Host || next.Scheme != page.Scheme {
		return nil
	}
	return next
}

func hash(raw []byte) v1.Hash {
	sum := sha256.Sum256(raw)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}
