package main

import (
	"context"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"temper/pipeline/release"
	"temper/pipeline/timing"
)

// uploads sends layers ahead to where temper release will want them.
type uploads struct {
	below string // which repository
	opts  release.Options
}

// newUploads returns nil where nothing is to be sent.
func newUploads(below string, insecure []string) (*uploads, error) {
	if below == "" {
		return nil, nil
	}
	if err := notAddress(below); err != nil {
		return nil, err
	}
	repo, err := name.NewRepository(strings.TrimSuffix(below, "/") + "/service")
	if err != nil {
		return nil, usagef("--upload: %q is no repository: %v", below, err)
	}
	return &uploads{
		below: strings.TrimSuffix(below, "/"),
		opts:  release.Options{Insecure: insecure, Keychain: credentials{[]string{repo.RegistryStr()}}},
	}, nil
}

// send uploads the layers of a service while others are still compiled, if no rule is
// broken. That it fails takes nothing from what was built.
func (u *uploads) send(ctx context.Context, one *product) error {
	if u == nil || !one.report.OK() {
		return nil
	}
	defer timing.Start(ctx, "upload")()
	repo, err := name.NewRepository(u.below + "/" + one.service.Name)
	if err != nil {
		return usagef("--upload: %q is no repository: %v", u.below+"/"+one.service.Name, err)
	}
	return release.Upload(ctx, repo, one.report, one.artifact, u.opts)
}
