package main

import (
	"context"
	"errors"
	"strings"
	"sync"

	"dagger/temper/internal/dagger"

	sdk "dagger.io/dagger"

	"temper/pipeline/engine"
)

// The module's generated types and those of dagger.io/dagger are different Go
// types with the same ids. Package engine speaks the latter, so that CI programs
// can use it as well; values cross here.

// connect returns the client of the session that the function runs in.
var connect = func() func(context.Context) (*sdk.Client, error) {
	var once sync.Once
	var client *sdk.Client
	var err error
	return func(ctx context.Context) (*sdk.Client, error) {
		once.Do(func() { client, err = sdk.Connect(context.WithoutCancel(ctx)) })
		return client, err
	}
}()

// in turns a value of the module into one of the client library.
func in[T sdk.Loadable[T], I ~string](ctx context.Context, client *sdk.Client, id func(context.Context) (I, error)) (T, error) {
	var none T
	got, err := id(ctx)
	if err != nil {
		return none, err
	}
	return sdk.Ref[T](client, sdk.ID(got)), nil
}

// secretIn is in for a secret that may be nil.
func secretIn(ctx context.Context, client *sdk.Client, secret *dagger.Secret) (*sdk.Secret, error) {
	if secret == nil {
		return nil, nil
	}
	return in[*sdk.Secret](ctx, client, secret.ID)
}

// fileIn is in for a file that may be nil.
func fileIn(ctx context.Context, client *sdk.Client, file *dagger.File) (*sdk.File, error) {
	if file == nil {
		return nil, nil
	}
	return in[*sdk.File](ctx, client, file.ID)
}

// directoryIn is in for a folder that may be nil.
func directoryIn(ctx context.Context, client *sdk.Client, dir *dagger.Directory) (*sdk.Directory, error) {
	if dir == nil {
		return nil, nil
	}
	return in[*sdk.Directory](ctx, client, dir.ID)
}

func outDirectory(ctx context.Context, dir *sdk.Directory) (*dagger.Directory, error) {
	id, err := dir.ID(ctx)
	if err != nil {
		return nil, err
	}
	return dagger.Ref[*dagger.Directory](dag, dagger.ID(id)), nil
}

func outFile(ctx context.Context, file *sdk.File) (*dagger.File, error) {
	id, err := file.ID(ctx)
	if err != nil {
		return nil, err
	}
	return dagger.Ref[*dagger.File](dag, dagger.ID(id)), nil
}

// pipeline is the engine's pipeline for what the constructor was given.
func (t *Temper) pipeline(ctx context.Context, platforms []string) (*engine.Pipeline, error) {
	client, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	opts := engine.Options{
		Access:     engine.Access{GoProxy: t.GoProxy, GoPrivate: t.GoPrivate, HTTPProxy: t.HTTPProxy, NoProxy: t.NoProxy},
		Go:         t.GoVersion,
		BuildTags:  t.BuildTags,
		Lane:       t.Lane,
		Platforms:  platforms,
		Repository: t.Repository,
		Source:     t.Commit,
		Tag:        t.Tag,
	}
	if opts.TemperSource, err = in[*sdk.Directory](ctx, client, t.Self.ID); err != nil {
		return nil, err
	}
	if opts.Access.NetRC, err = secretIn(ctx, client, t.Netrc); err != nil {
		return nil, err
	}
	if t.SSH != nil {
		if opts.Access.SSH, err = in[*sdk.Socket](ctx, client, t.SSH.ID); err != nil {
			return nil, err
		}
	}
	if opts.Temper, err = fileIn(ctx, client, t.Command); err != nil {
		return nil, err
	}
	if t.GoProxyService != nil {
		service, err := in[*sdk.Service](ctx, client, t.GoProxyService.ID)
		if err != nil {
			return nil, err
		}
		if opts.Access, err = opts.Access.WithGoProxyService(ctx, service); err != nil {
			return nil, err
		}
	}
	if t.ToolchainTarball != nil {
		if t.Toolchain != nil {
			return nil, errors.New("toolchain and toolchain-tarball are both given; give one of them")
		}
		image, err := in[*sdk.File](ctx, client, t.ToolchainTarball.ID)
		if err != nil {
			return nil, err
		}
		opts.Toolchain = client.Container().Import(image)
	}
	if t.Toolchain != nil {
		if opts.Toolchain, err = in[*sdk.Container](ctx, client, t.Toolchain.ID); err != nil {
			return nil, err
		}
	}
	if t.BaseTarball != nil {
		if t.Base != nil {
			return nil, errors.New("base and base-tarball are both given; give one of them")
		}
		if opts.BaseTarball, err = in[*sdk.File](ctx, client, t.BaseTarball.ID); err != nil {
			return nil, err
		}
	}
	if t.Base != nil {
		if opts.Base, err = in[*sdk.Directory](ctx, client, t.Base.ID); err != nil {
			return nil, err
		}
	}
	if opts.Waivers, err = fileIn(ctx, client, t.Waivers); err != nil {
		return nil, err
	}
	source, err := in[*sdk.Directory](ctx, client, t.Source.ID)
	if err != nil {
		return nil, err
	}
	return engine.New(client, source, opts), nil
}

// registryAt says how to reach the registry of a reference or address.
func registryAt(ctx context.Context, client *sdk.Client, ref, username string, password *dagger.Secret, service *dagger.Service, insecure bool) (engine.Registry, error) {
	host, _, _ := strings.Cut(ref, "/")
	at := engine.Registry{Username: username, Host: host}
	if insecure {
		at.Insecure = []string{host}
	}
	var err error
	if at.Password, err = secretIn(ctx, client, password); err != nil {
		return at, err
	}
	if service != nil {
		at.Service, err = in[*sdk.Service](ctx, client, service.ID)
	}
	return at, err
}
