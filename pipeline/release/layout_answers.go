package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// RoundTrip answers as a registry does that holds what the layout holds, so that
// whoever reads registries reads layouts by the same code.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
func (l *Layout) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, fmt.Errorf("%s is read and not written", l.path)
	}
	var a answer
	var err error
	switch place, id := path.Split(r.URL.Path); path.Base(place) {
	case "manifests":
		a, err = l.manifestAnswer(id)
	case "blobs":
		a, err = l.blobAnswer(r, id)
	case "referrers":
		a, err = l.referrersAnswer(id)
	case "v2": // are you there?
		a = inMemory("application/json", []byte("{}"))
	default:
		err = fs.ErrNotExist
	}
	status := http.StatusOK
	switch {
	case errors.Is(err, fs.ErrNotExist):
		status, err = http.StatusNotFound, nil
		if a, err = l.absent(path.Base(r.URL.Path)); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	if r.Method == http.MethodHead {
		a.Close()
		a.ReadCloser = http.NoBody
	}
	// The request is left out: its address would be told, and leads nowhere.
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {string(a.mediaType)}, "Content-Length": {strconv.FormatInt(a.size, 10)}},
		ContentLength: a.size,
		Body:          a.ReadCloser,
	}, nil
}

// An answer is the body of one.
type answer struct {
	io.ReadCloser
	mediaType types.MediaType
	size      int64
}

func inMemory(mediaType types.MediaType, body []byte) answer {
	return answer{io.NopCloser(bytes.NewReader(body)), mediaType, int64(len(body))}
}

// absent says that the layout does not have it, in a registry's way.
func (l *Layout) absent(id string) (answer, error) {
	body, err := json.Marshal(map[string][]transport.Diagnostic{"errors": {{
		Code: transport.ManifestUnknownErrorCode, Message: fmt.Sprintf("%s does not hold %s", l.path, id),
	}}})
	return inMemory("application/json", body), err
}

func (l *Layout) manifestAnswer(id string) (answer, error) {
	var raw []byte
	var err error
	if strings.Contains(id, ":") {
		var digest v1.Hash
		if digest, err = hashOf(id); err == nil {
			raw, err = l.manifest(digest)
		}
	} else {
		raw, err = l.under(id)
	}
	if err != nil {
		return answer{}, err
	}
	return inMemory(mediaTypeOf(raw), raw), nil
}

// hashOf reads a digest. By what is none, or of another algorithm, a layout holds
// nothing, as a registry would say.
func hashOf(id string) (v1.Hash, error) {
	digest, err := v1.NewHash(id)
	if err != nil {
		return v1.Hash{}, fs.ErrNotExist
	}
	return digest, nil
}

// mediaTypeOf is what a manifest says that it is; one of OCI's need not.
func mediaTypeOf(raw []byte) types.MediaType {
	var m struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
	}
	switch err := json.Unmarshal(raw, &m); {
	case err != nil:
		return types.OCIManifestSchema1 // whoever reads it sees that it is none
	case m.MediaType != "":
		return m.MediaType
	case m.Manifests != nil:
		return types.OCIImageIndex
	}
	return types.OCIManifestSchema1
}

// blobAnswer reads a blob that is asked for by its size to its end: nobody else
// will.
func (l *Layout) blobAnswer(r *http.Request, id string) (answer, error) {
	digest, err := hashOf(id)
	if err != nil {
		return answer{}, err
	}
	if r.Method == http.MethodHead {
		size, err := l.size(r.Context(), digest)
		return answer{http.NoBody, "application/octet-stream", size}, err
	}
	f, size, err := l.open(blobFile(digest))
	return answer{f, "application/octet-stream", size}, err
}

func (l *Layout) referrersAnswer(id string) (answer, error) {
	subject, err := hashOf(id)
	if err != nil {
		return answer{}, err
	}
	s, err := l.survey()
	if err != nil {
		return answer{}, err
	}
	list := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	seen := make(map[v1.Hash]bool)
	for _, d := range s.referrers[subject] {
		if !seen[d.Digest] {
			seen[d.Digest] = true
			list.Manifests = append(list.Manifests, d)
		}
	}
	body, err := json.Marshal(list)
	return inMemory(types.OCIImageIndex, body), err
}
