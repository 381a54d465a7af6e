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
	l := &progress{w: &b, name: "api"}
	for _, now := range []release.Progress{
		{Stage: release.Pushing, Total: 3 << 20},
		{Stage: release.Pushing, Sent: 1, Total: 3 << 20}, // too soon
		{Stage: release.Signing},
	} {
		l.tell(now)
	}
	l.next = time.Time{} // later
	l.tell(release.Progress{Stage: release.Pushing, Sent: 5 << 20, Total: 3 << 20})
	l.end()
	want := "\r\x1b[Kapi: pushing 0 bytes of 3.1 MB\r\x1b[Kapi: signing\r\x1b[Kapi: pushing 3.1 MB of 3.1 MB\r\x1b[K"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("drawn (-want +got):\n%s", diff)
	}
	// No terminal, no line.
	if tell, end := (&person{err: &b}).progress("api"); tell != nil {
		t.Error("it is told to a buffer")
	} else {
		end()
	}
	if b.String() != want {
		t.Errorf("then it says %q", b.String())
	}
}
