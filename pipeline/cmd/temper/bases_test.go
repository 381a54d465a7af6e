package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"

	"temper/pipeline/release/releasetest"
	"temper/pipeline/service"
)

// base VARIABLE REF FOLDER [ENV]...: pushes a base that holds the folder, for
// two platforms, and sets the variable to its digest.
func pushBase(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: base VARIABLE REF FOLDER [ENV]...")
	}
	layer := static.NewLayer(tarOf(ts, ts.MkAbs(args[2])), types.OCIUncompressedLayer)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
		ts.Check(err)
		config, err := img.ConfigFile()
		ts.Check(err)
		config = config.DeepCopy()
		config.OS, config.Architecture = "linux", arch
		config.Config = v1.Config{User: "65532", Env: args[3:]}
		img, err = mutate.ConfigFile(img, config)
		ts.Check(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: arch},
		}})
	}
	ref, err := name.ParseReference(args[1])
	ts.Check(err)
	ts.Check(remote.WriteIndex(ref, index))
	digest, err := index.Digest()
	ts.Check(err)
	ts.Setenv(args[0], digest.String())
}

func tarOf(ts *testscript.TestScript, dir string) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: filepath.ToSlash(rel), Mode: 0o755, Typeflag: tar.TypeDir}
		var content []byte
		if !d.IsDir() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
			h.Typeflag, h.Mode, h.Size = tar.TypeReg, 0o644, int64(len(content))
			if strings.HasSuffix(filepath.Dir(rel), "bin") {
				h.Mode = 0o755
			}
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	}))
	ts.Check(w.Close())
	return buf.Bytes()
}

// A teller lets what is made for tests end a story.
type teller struct {
	testing.TB
	ts *testscript.TestScript
}

func (t teller) Helper()           {}
func (t teller) Fatal(args ...any) { t.ts.Fatalf("%v", args) }

// sigstores are the instances of the stories that run, by their folders.
var sigstores sync.Map

// sigstore FILE: makes an instance of Sigstore, the story's own, and writes its
// trusted root.
func newSigstore(ts *testscript.TestScript, _ bool, args []string) {
	s := releasetest.New(teller{ts: ts})
	sigstores.Store(ts.Getenv("WORK"), s)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), s.TrustedRoot(teller{ts: ts}), 0o644))
}

// sign bundle|legacy REF SUBJECT ISSUER: signs an image, which then has that
// signature and no other of its form. sign key REF FILE: signs it with a new
// key, in the legacy form, and writes the public half.
func signImage(ts *testscript.TestScript, _ bool, args []string) {
	ref, err := name.ParseReference(args[1])
	ts.Check(err)
	desc, err := remote.Get(ref)
	ts.Check(err)
	t := teller{ts: ts}
	var payload []byte
	var annotations map[string]string
	if args[0] == "key" {
		payload, annotations = signByKey(ts, args[2], desc.Digest)
	} else {
		made, ok := sigstores.Load(ts.Getenv("WORK"))
		if !ok {
			ts.Fatalf("say sigstore FILE first")
		}
		s, by := made.(*releasetest.Sigstore), releasetest.Signer{Subject: args[2], Issuer: args[3]}
		if args[0] == "bundle" {
			bundle := static.NewLayer(s.Bundle(t, by, desc.Digest), "application/vnd.dev.sigstore.bundle.v0.3+json")
			img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{Layer: bundle})
			ts.Check(err)
			referrer := mutate.Subject(img, desc.Descriptor).(v1.Image)
			digest, err := referrer.Digest()
			ts.Check(err)
			ts.Check(remote.Write(ref.Context().Digest(digest.String()), referrer))
			return
		}
		payload, annotations = s.Simple(t, by, desc.Digest)
	}
	layer := static.NewLayer(payload, "application/vnd.dev.cosign.simplesigning.v1+json")
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{Layer: layer, Annotations: annotations})
	ts.Check(err)
	ts.Check(remote.Write(ref.Context().Tag(signatureTag(desc.Digest)), img))
}

func signatureTag(h v1.Hash) string { return h.Algorithm + "-" + h.Hex + ".sig" }

func signByKey(ts *testscript.TestScript, file string, digest v1.Hash) ([]byte, map[string]string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(file), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644))
	payload := []byte(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"` + digest.String() +
		`"},"type":"cosign container image signature"},"optional":null}`)
	sum := sha256.Sum256(payload)
	sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	ts.Check(err)
	return payload, map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)}
}

// save REF FOLDER: copies an index and its legacy signature, if it has one,
// into an OCI layout.
func saveImage(ts *testscript.TestScript, _ bool, args []string) {
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	index, err := remote.Index(ref)
	ts.Check(err)
	digest, err := index.Digest()
	ts.Check(err)
	path, err := layout.Write(ts.MkAbs(args[1]), empty.Index)
	ts.Check(err)
	ts.Check(path.AppendIndex(index))
	if sig, err := remote.Image(ref.Context().Tag(signatureTag(digest))); err == nil {
		ts.Check(path.AppendImage(sig, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": signatureTag(digest)})))
	}
}

// Who must have signed a base is whom temper.yaml names, and Google of
// distroless, whatever it names.
func TestVerifierOf(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	key := write("base.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	trusted := write("root.json", releasetest.New(t).TrustedRoot(t))
	const google = "keyless@distroless.iam.gserviceaccount.com (https://accounts.google.com)"
	for _, tc := range []struct {
		name, base  string
		signer      *service.Signer
		trustedRoot string
		want, err   string
	}{
		{name: "nobody", base: "builtin"},
		{name: "nobody of an image", base: "debian@sha256:" + strings.Repeat("a", 64)},
		{name: "distroless", base: "distroless", want: google},
		{name: "distroless, a trusted root", base: "distroless", signer: &service.Signer{TrustedRoot: trusted}, want: google},
		{name: "distroless, a trusted root on the command line", base: "distroless", trustedRoot: trusted, want: google},
		{name: "an identity", base: "x", signer: &service.Signer{Identity: "a@example.com", Issuer: "https://a.example"}, want: "a@example.com (https://a.example)"},
		{name: "a key", base: "x", signer: &service.Signer{Key: key}, want: "key sha256:"},
		{name: "no key", base: "x", signer: &service.Signer{Key: trusted}, err: "is not a key"},
		{name: "no trusted root", base: "distroless", trustedRoot: key, err: "is not a trusted root"},
		{name: "a trusted root for nobody", base: "builtin", trustedRoot: trusted, err: "temper.yaml names no identity that must have signed the base builtin"},
		{name: "a trusted root for a key", base: "x", signer: &service.Signer{Key: key}, trustedRoot: trusted, err: "names no identity"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := verifierOf(context.Background(), &service.Repository{Base: tc.base, Signer: tc.signer}, tc.trustedRoot)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("err is %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v == nil != (tc.want == "") || v != nil && !strings.HasPrefix(v.String(), tc.want) {
				t.Errorf("it is %v, want %q", v, tc.want)
			}
		})
	}
}
