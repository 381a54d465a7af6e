package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/pipeline/release"
)

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	l := &progress{w: &b}
	api, web := l.of("api"), l.of("web")
	for _, now := range []release.Progress{
		{Stage: release.Pushing, Total: 3 << 20},
		{Stage: release.Pushing, Sent: 1, Total: 3 << 20}, // too soon
		{Stage: release.Signing},
	} {
		api(now)
	}
	web(release.Progress{Stage: release.Signing}) // too soon after the other
	l.next = time.Time{}                          // later
	api(release.Progress{Stage: release.Pushing, Sent: 5 << 20, Total: 3 << 20})
	l.next = time.Time{}
	web(release.Progress{Stage: release.Tagging})
	l.end()
	want := "\r\x1b[Kapi: pushing 0 bytes of 3.1 MB\r\x1b[Kapi: signing\r\x1b[Kapi: pushing 3.1 MB of 3.1 MB\r\x1b[Kweb: " + string(release.Tagging) + "\r\x1b[K"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("drawn (-want +got):\n%s", diff)
	}
	// No terminal, no line.
	none := (&person{err: &b}).progress()
	if none.of("api") != nil {
		t.Error("it is told to a buffer")
	}
	none.end()
	if b.String() != want {
		t.Errorf("then it says %q", b.String())
	}
}
