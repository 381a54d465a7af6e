//go:build unix

package main

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/pipeline/release"
)

// A private key is for its owner only, whatever files usually are; and no file
// is left over or overwritten.
func TestKeygenFiles(t *testing.T) {
	t.Setenv("COSIGN_PASSWORD", "secret")
	for _, umask := range []int{0, 0o022, 0o077} {
		dir := t.TempDir()
		prefix := filepath.Join(dir, "cosign")
		keygen := func() error {
			defer syscall.Umask(syscall.Umask(umask))
			cmd := newKeygen(&person{out: io.Discard, err: io.Discard})
			cmd.SetArgs([]string{"--output-key-prefix", prefix})
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			return cmd.Execute()
		}
		if err := keygen(); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]fs.FileMode)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			got[e.Name()] = info.Mode()
		}
		want := map[string]fs.FileMode{"cosign.key": 0o600, "cosign.pub": 0o644}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("files with umask %#o (-want +got):\n%s", umask, diff)
		}
		signer, err := release.LoadSigner(context.Background(), prefix+".key", func() ([]byte, error) { return []byte("secret"), nil })
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := release.LoadVerifier(context.Background(), prefix+".pub")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(signer.Verifier().String(), verifier.String()); diff != "" {
			t.Errorf("the public half (-of the private key +in the file):\n%s", diff)
		}
		if err := keygen(); err == nil {
			t.Error("a key was overwritten")
		}
	}
}
