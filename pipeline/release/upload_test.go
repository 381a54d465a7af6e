package release

import (
	"context"
	"errors"
	"strings"
	"testing"

	"temper/checks"
)

// What was uploaded ahead is not sent again, and no manifest names it until then.
func TestUpload(t *testing.T) {
	h, p := serve(t, true), anIndex(t, 1)
	if err := Upload(context.Background(), h.repo(t), p.report, p.artifact, h.options()); err != nil {
		t.Fatal(err)
	}
	sent := writes(h.requests())
	if len(sent) == 0 {
		t.Error("it sent nothing")
	}
	for _, r := range sent {
		if !strings.HasPrefix(r.path, "blobs/uploads/") {
			t.Errorf("it wrote %s", r.path)
		}
	}
	if err := Upload(context.Background(), h.repo(t), p.report, p.artifact, h.options()); err != nil {
		t.Fatal(err)
	}
	if again := writes(h.requests()); len(again) > 0 {
		t.Errorf("what was there is sent again: %v", again)
	}
	p.publish(t, h, newKey(t), h.options(), "v1")
}

// What is refused is not uploaded.
func TestUploadRefuses(t *testing.T) {
	for name, with := range map[string]func(p *product){
		"no report":               func(p *product) { p.report = nil },
		"the report of another":   func(p *product) { p.report = anImage(t, 99).report },
		"a report with an error":  func(p *product) { p.report.Findings = []checks.Finding{{Rule: "static", Severity: checks.Error}} },
		"a report without a rule": func(p *product) { p.report.Rules = nil },
	} {
		t.Run(name, func(t *testing.T) {
			h, p := serve(t, true), anIndex(t, 1)
			with(&p)
			err := Upload(context.Background(), h.repo(t), p.report, p.artifact, h.options())
			if no := (*Refusal)(nil); !errors.As(err, &no) {
				t.Errorf("err is %v, want a refusal", err)
			}
			if asked := h.requests(); len(asked) > 0 {
				t.Errorf("the registry was asked: %v", asked)
			}
		})
	}
}
