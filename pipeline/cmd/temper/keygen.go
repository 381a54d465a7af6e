package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"temper/pipeline/release"
)

func newKeygen(p *person) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "A pair of keys to sign and verify with, in cosign's format",
		Long: `keygen writes PREFIX.key, the private key, encrypted with a password, and
PREFIX.pub, the public key, for whoever verifies. The password is asked for on the
terminal or taken from COSIGN_PASSWORD. Files that exist are never overwritten.`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			private, public := prefix+".key", prefix+".pub"
			for _, path := range []string{private, public} {
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					return hintf("temper keygen --output-key-prefix NAME", "%s is there already and is not overwritten", path)
				}
			}
			password, err := p.password(true)
			if err != nil {
				return err
			}
			key, pub, err := release.GenerateKey(password)
			if err != nil {
				return err
			}
			if err := writeNew(private, key, 0o600); err != nil {
				return err
			}
			if err := writeNew(public, pub, 0o644); err != nil {
				os.Remove(private) // half a pair is of no use
				return err
			}
			fmt.Fprintln(p.out, private)
			fmt.Fprintln(p.out, public)
			return nil
		},
	}
	cmd.Flags().StringVar(&prefix, "output-key-prefix", "cosign", "write `PREFIX`.key and PREFIX.pub")
	return cmd
}

// writeNew writes a file that must not exist yet, whole or not at all.
func writeNew(path string, content []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(dirOf(path), ".temper-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := tmp.Chmod(mode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if _, err := tmp.Write(content); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	// A link, unlike a rename, fails where the name is taken.
	if err := os.Link(tmp.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
