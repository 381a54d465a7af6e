package binary

import (
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
