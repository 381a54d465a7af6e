package binary

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks"
	"temper/checks/executables"
)

// An UnfitError says why an executable may not go into an image.
type UnfitError struct {
	Path     string
	Findings []checks.Finding
}

func (e *UnfitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is not fit for an image:", e.Path)
	for _, f := range e.Findings {
		fmt.Fprintf(&b, "\n  %s: %s", f.Rule, f.Message)
	}
	return b.String()
}

// Open reads an executable, whoever compiled it, and returns it as a [Binary]
// if the rules about executables pass it for the platform. If not, the error is
// an [*UnfitError] with every reason.
func Open(ctx context.Context, path string, platform v1.Platform) (*Binary, error) {
	b, err := look(path, platform)
	if err != nil {
		return nil, err
	}
	r, err := b.Report(ctx)
	if err != nil {
		return nil, err
	}
	if !r.OK() {
		return nil, &UnfitError{path, r.Findings}
	}
	return b, nil
}

// Report judges the binary by the rules about executables.
func (b *Binary) Report(ctx context.Context) (*checks.Report, error) {
	of := checks.Subject{Name: b.Path, Digest: b.Digest.String()}
	exe := &executables.Subject{Facts: b.Facts, Path: b.Path, Arch: b.Platform.Architecture}
	return checks.Run(ctx, of, b.Platform.String(), exe, executables.Rules)
}

// holding bounds what is held of binaries to one at a time: they are large.
var holding = make(chan struct{}, 1)

// hold is [look] that keeps the content until [Binary.Release], if no other is held.
func hold(path string, platform v1.Platform) (*Binary, error) {
	select {
	case holding <- struct{}{}:
	default:
		return look(path, platform)
	}
	b := &Binary{Path: path, Platform: platform}
	if err := b.read(); err != nil {
		<-holding
		return nil, err
	}
	return b, nil
}

// read reads all of a file into memory, and its facts from there.
func (b *Binary) read() (err error) {
	content, err := os.ReadFile(b.Path)
	if err != nil {
		return err
	}
	b.Size = int64(len(content))
	sum := sha256.Sum256(content)
	b.Digest = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
	if b.Facts, err = executables.Read(bytes.NewReader(content)); err != nil {
		return fmt.Errorf("%s: %w", b.Path, err)
	}
	b.held = content
	return nil
}

// Held returns a reader of what [Build] has read of the binary, which has its digest, nil
// if that is not held. Whoever reads goes on doing so when it is released.
func (b *Binary) Held() io.Reader {
	if b.held == nil {
		return nil
	}
	return bytes.NewReader(b.held)
}

// Release forgets what is held, so that another can be. Whoever builds calls it when nobody
// is going to ask any more.
func (b *Binary) Release() {
	if b.held != nil {
		b.held = nil
		<-holding
	}
}

// look reads the facts without judging them.
func look(path string, platform v1.Platform) (*Binary, error) {
	sum, size, err := digest(path)
	if err != nil {
		return nil, err
	}
	facts, err := factsOf(path)
	if err != nil {
		return nil, err
	}
	return &Binary{Path: path, Platform: platform, Digest: sum, Size: size, Facts: facts}, nil
}

// factsOf are what an executable says of itself.
func factsOf(path string) (*executables.Facts, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	facts, err := executables.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return facts, nil
}

// factsOf are those of the executable of a digest, read once.
func (o Options) factsOf(sum v1.Hash, path string) (*executables.Facts, error) {
	if o.Facts == nil {
		return factsOf(path)
	}
	key := "facts-" + sum.Hex
	known := new(executables.Facts)
	if text := o.Facts.Load(key); text != nil && json.Unmarshal(text, known) == nil {
		return known, nil
	}
	facts, err := factsOf(path)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(facts)
	if err != nil {
		return nil, err
	}
	return facts, o.Facts.Save(key, text)
}

func digest(path string) (v1.Hash, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}, n, nil
}
