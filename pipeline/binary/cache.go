package binary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/service"
	"temper/pipeline/store"
)

// A cacheDir belongs to one service of one repository, one platform and one Go
// release. No other build reads or writes it: what a service pulled into its
// build cache cannot reach another.
type cacheDir string

// CachePath is the folder below a cache's root that belongs to one service of
// a repository and one platform (os/arch or os/arch/variant), and to nothing
// else. Whoever brings a cache volume for them mounts it there.
func CachePath(root, repository, service, platform string) string {
	// The repository's path tells repositories apart that have services of one
	// name; it decides where things are cached and never what is built.
	repo := sha256.Sum256([]byte(repository))
	return filepath.Join(root, "services", hex.EncodeToString(repo[:8]), service, strings.ReplaceAll(platform, "/", "-"))
}

// newCacheDir makes the folder and those in it.
func newCacheDir(root string, svc *service.Service, p v1.Platform, t *Toolchain) (cacheDir, error) {
	c := cacheDir(filepath.Join(CachePath(root, svc.Root, svc.Name, p.String()), t.Version))
	for _, dir := range []string{c.build(), c.tmp(), c.path("bin")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("making the build cache of %s: %w", svc.Name, err)
		}
	}
	if err := c.sweep(); err != nil {
		return "", fmt.Errorf("removing what a build has left in the cache of %s: %w", svc.Name, err)
	}
	services := filepath.Dir(filepath.Dir(CachePath(root, svc.Root, svc.Name, p.String())))
	origin, err := os.OpenFile(filepath.Join(services, store.OriginName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return c, nil
	}
	if err == nil {
		_, err = origin.WriteString(svc.Root + "\n")
		err = errors.Join(err, origin.Close())
	}
	if err != nil {
		return "", fmt.Errorf("making the build cache of %s: %w", svc.Name, err)
	}
	return c, nil
}

// left is how long nothing has happened in a folder of Go's that was left: nobody takes it
// away where a build was killed. Go makes folders in it as long as it works there.
const left = time.Hour

// sweep removes the folders that Go has left in tmp.
func (c cacheDir) sweep() error {
	entries, err := os.ReadDir(c.tmp())
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist): // Go was faster
			continue
		case err != nil:
			return err
		case time.Since(info.ModTime()) < left:
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.tmp(), e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (c cacheDir) path(name string) string { return filepath.Join(string(c), name) }
func (c cacheDir) build() string           { return c.path("build") }
func (c cacheDir) tmp() string             { return c.path("tmp") }
func (c cacheDir) out() string             { return filepath.Join(c.path("bin"), "service") }
func (c cacheDir) sum() string             { return filepath.Join(c.path("bin"), "service.sha256") }

func (c cacheDir) listed() string { return filepath.Join(c.path("bin"), "packages.json") }
func (c cacheDir) inputs() string { return filepath.Join(c.path("bin"), "inputs.json") }

// errAltered tells that the binary of the last build is not what that build left.
var errAltered = errors.New("the binary of the last build was altered")

// trusted returns what the binary of the last build is. Its content is held against what
// that build left: Go takes an output for current by the build id inside it, and would
// keep one whose other bytes have changed. If nobody has touched the file since that was
// done, it is not done again; whoever puts it into an image holds it against its digest.
func (c cacheDir) trusted() (v1.Hash, int64, error) {
	text, err := os.ReadFile(c.sum())
	if err != nil {
		return v1.Hash{}, 0, err
	}
	info, err := os.Lstat(c.out())
	if err != nil {
		return v1.Hash{}, 0, err
	}
	sum, untouched, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	want, err := v1.NewHash(sum)
	if err != nil {
		return v1.Hash{}, 0, errAltered
	}
	if is := store.Stamp(info); is != "" && is == untouched {
		return want, info.Size(), nil
	}
	got, size, err := digest(c.out())
	if err == nil && got != want {
		err = errAltered
	}
	is := store.Rested(info)
	if err != nil || is == "" {
		return got, size, err
	}
	return got, size, replace(c.sum(), []byte(sum+" "+is+"\n"))
}

// Distrust holds the binary against its digest, and tells whether it is something else. Then
// it is removed, and the next build compiles it.
func (b *Binary) Distrust() (bool, error) {
	got, _, err := digest(b.Path)
	if err == nil && got == b.Digest {
		return false, nil
	}
	if err := os.Remove(b.Path); err != nil && !os.IsNotExist(err) {
		return false, fmt.Errorf("removing an altered binary: %w", err)
	}
	return true, nil
}

// clear removes the binary of the last build and what is known of it.
func (c cacheDir) clear() error {
	for _, path := range []string{c.sum(), c.inputs(), c.out()} {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("removing the last build: %w", err)
		}
	}
	return nil
}

// remember notes what the build left.
func (c cacheDir) remember(b *Binary) error {
	if err := replace(c.sum(), []byte(b.Digest.String()+"\n")); err != nil {
		return fmt.Errorf("noting the build: %w", err)
	}
	return nil
}

// lock keeps two builds of one service and platform from each other's output.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	l := flock.New(path)
	if _, err := l.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return nil, err
	}
	return func() { l.Unlock() }, nil
}

// DefaultCache is the folder for Temper's caches: $TEMPER_CACHE, else temper in
// the user's cache folder.
func DefaultCache() (string, error) {
	if dir := os.Getenv("TEMPER_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w; set TEMPER_CACHE to a folder", err)
	}
	return filepath.Join(dir, "temper"), nil
}
