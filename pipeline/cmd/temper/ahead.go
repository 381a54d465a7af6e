package main

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/sources"
	"temper/pipeline/binary"
	"temper/pipeline/program"
	"temper/pipeline/service"
	"temper/pipeline/timing"
)

// An ahead is a look at the code of a service while it is being compiled.
type ahead struct {
	done chan struct{}
	// found is nil if nothing came of it.
	found *seenCode
}

// lookAhead begins to look at the code that a binary is being compiled from, if Go need not
// be asked what that is, and if it is the same for all platforms. Nothing that goes wrong
// counts: if it compiles, it is looked at again. Files that change meanwhile are noticed
// when what was compiled is noted ([binary.Binary.Remember]), and then nothing of it is
// remembered.
func (l *line) lookAhead(ctx context.Context, svc *service.Service, p v1.Platform, known func() *binary.Imports) *ahead {
	a := &ahead{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		imports := known()
		if imports == nil || len(l.repo.Platforms) > 1 && program.Varies(svc, imports) {
			return
		}
		defer timing.Start(ctx, "check the code")()
		made, err := program.Of(svc, p, imports)
		if err != nil {
			return
		}
		if seen, err := l.lookAt(ctx, svc, []*sources.Program{made}); err == nil {
			a.found = &seen
		}
	}()
	return a
}

// seen is what came of the look, for which it waits.
func (a *ahead) seen() *seenCode {
	if a == nil {
		return nil
	}
	<-a.done
	return a.found
}
