package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"temper/checks"
)

// Upload puts the layers and configurations of an image or an index into a
// repository, several at a time, where [Publish] then finds them. It writes no
// manifest, so nobody can pull what is there, and a registry lets go of it if nothing
// is published within the time that it keeps such uploads.
//
// It wants the report of that very artifact, as Publish does: of what is refused, no
// byte is sent.
func Upload(ctx context.Context, repo name.Repository, report *checks.Report, artifact mutate.Appendable, opts Options) error {
	if opts.Layout != nil {
		return errors.New("a layout is read here and not published into")
	}
	repo, err := opts.named(repo)
	if err != nil {
		return err
	}
	all, err := local(ctx, artifact)
	if err != nil {
		return asRefusal(repo.Name(), err)
	}
	if err := approved(repo.Digest(all[0].Digest.String()), report); err != nil {
		return err
	}
	push, err := remote.NewPusher(opts.remote(ctx)...)
	if err != nil {
		return err
	}
	p := &publication{repo: repo, push: push}
	if err := p.fill(ctx, artifact, opts.jobs()); err != nil {
		return fmt.Errorf("uploading to %s: %w", repo, plain(err))
	}
	return nil
}
