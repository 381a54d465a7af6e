package checks

import (
	"slices"
	"testing"
	"time"
)

// FuzzBaseline takes any bytes for a baseline's file. What is read can be
// written and read again, and never makes a report fit for release.
func FuzzBaseline(f *testing.F) {
	r := found("a", "layer 1: /bin/sh", "layer 2: /opt/sh")
	file, err := NewBaseline(r, found("b", "config")).Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(`{"version": 1, "findings": [{"subject": "a", "rule": "shell"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := ParseBaseline(raw)
		if err != nil {
			return
		}
		again, err := b.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseBaseline(again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, again)
		}
		if !slices.Equal(b.known, c.known) {
			t.Errorf("read back %v, want %v", c.known, b.known)
		}
		if marked := b.Mark(r); marked.OK() || len(marked.Findings) != len(r.Findings) {
			t.Errorf("with a baseline the report says %+v", marked)
		}
	})
}

// FuzzWaive takes any texts for a waiver. One without an end accepts nothing,
// and after its end it accepts nothing either.
func FuzzWaive(f *testing.F) {
	f.Add("shell", "a", "because", "2027-03-01", int64(1800000000))
	f.Add("shell", "a", "", "9999-12-31", int64(0))
	f.Add("shell", "a", "x", "2027-3-1", int64(1<<40))
	f.Fuzz(func(t *testing.T, rule, subject, reason, expires string, now int64) {
		w := Waiver{Rule: rule, Subject: subject, Reason: reason, Expires: expires}
		at := time.Unix(now, 0)
		r, err := Waive(found("a", "layer 1: /bin/sh"), []Waiver{w}, at)
		if err != nil {
			return
		}
		if r.OK() && (w.Expired(at) || rule != "shell" || subject != "a" || reason == "") {
			t.Errorf("%+v accepts a finding at %v", w, at)
		}
		if len(r.Findings) != 1 {
			t.Errorf("findings: %+v", r.Findings)
		}
	})
}
