package release

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// A Session remembers registries that were greeted, so that who opens a release and
// then looks into it asks them once how they want to be spoken to, and for a token to
// read with. It is of one set of [Options], which hold the credentials. The zero value
// is ready, and may be used by several goroutines.
type Session struct {
	mu      sync.Mutex
	greeted map[string]http.RoundTripper // by repository, for tokens are
}

// transport returns what speaks to a repository, and greets its registry if
// nobody has. A nil session remembers nothing.
func (s *Session) transport(repo name.Repository, greet func() (http.RoundTripper, error)) (http.RoundTripper, error) {
	if s == nil {
		return greet()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if rt := s.greeted[repo.String()]; rt != nil {
		return rt, nil
	}
	rt, err := greet()
	if err != nil {
		return nil, err
	}
	if s.greeted == nil {
		s.greeted = make(map[string]http.RoundTripper)
	}
	s.greeted[repo.String()] = rt
	return rt, nil
}

// reading returns what reads from a repository in a registry.
func (o Options) reading(ctx context.Context, repo name.Repository) (http.RoundTripper, error) {
	return o.Session.transport(repo, func() (http.RoundTripper, error) { return o.greet(ctx, repo) })
}

func (o Options) greet(ctx context.Context, repo name.Repository) (http.RoundTripper, error) {
	login, err := authn.Resolve(ctx, o.keychain(), repo)
	if err != nil {
		return nil, fmt.Errorf("finding credentials for %s: %w", repo.RegistryStr(), err)
	}
	var retry []transport.Option
	if o.backoff.Steps > 0 {
		retry = append(retry, transport.WithRetryBackoff(o.backoff))
	}
	retry = append(retry, transport.WithRetryPredicate(passing), transport.WithRetryStatusCodes(passingCodes...))
	rt, err := transport.NewWithContext(ctx, repo.Registry, login, transport.NewRetry(o.transport(), retry...), []string{repo.Scope(transport.PullScope)})
	switch clear := inClear(err); {
	case clear != nil: // beside what came of asking it encrypted
		return nil, fmt.Errorf("greeting %s: %w; %w", repo.RegistryStr(), plain(err), clear)
	case err != nil:
		return nil, fmt.Errorf("greeting %s: %w", repo.RegistryStr(), plain(err))
	}
	return rt, nil
}

// pulling returns the options as go-containerregistry takes them, for reading from
// one repository.
func (o Options) pulling(ctx context.Context, repo name.Repository) ([]remote.Option, error) {
	if o.Layout != nil {
		return o.remote(ctx), nil
	}
	rt, err := o.reading(ctx, repo)
	if err != nil {
		return nil, err
	}
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(rt), remote.WithJobs(o.jobs())}, nil
}
