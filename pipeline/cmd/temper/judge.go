package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"temper/checks"
	"temper/checks/images"
	"temper/pipeline/service"
)

// judge runs the rules on an image and applies the waivers that hold now.
func judge(ctx context.Context, name string, artifact mutate.Appendable, opts images.Options, waivers []checks.Waiver, now time.Time) (*images.Judgement, error) {
	j, err := images.Check(ctx, name, artifact, opts)
	if err != nil {
		return nil, err
	}
	j.Report, err = waive(j.Report, waivers, now)
	return j, err
}

// waive applies the waivers of the rules that looked. That one of another rule,
// such as a probe's in a check, matches nothing is no news.
func waive(r *checks.Report, waivers []checks.Waiver, now time.Time) (*checks.Report, error) {
	looked := slices.DeleteFunc(slices.Clone(waivers), func(w checks.Waiver) bool { return !slices.Contains(r.Rules, w.Rule) })
	if len(looked) == 0 {
		return r, nil // not a copy, of which there would be thousands
	}
	return checks.Waive(r, looked, now)
}

// layersRead are the layers that were read before.
func layersRead(cache string) (*images.Memory, error) {
	return images.NewMemory(filepath.Join(cache, "judged"))
}

// waivers are those of a temper.yaml as the rules know them.
func waivers(list []service.Waiver) []checks.Waiver {
	var out []checks.Waiver
	for _, w := range list {
		out = append(out, checks.Waiver{Rule: w.Rule, Subject: w.Subject, Reason: w.Reason, Expires: w.Expires})
	}
	return out
}

// readWaivers reads the file that --waivers names, if it names one.
func readWaivers(file string) ([]checks.Waiver, error) {
	if file == "" {
		return nil, nil
	}
	list, err := service.ReadWaivers(file, ruleNames()...)
	return waivers(list), err
}

// broken says by which rules a subject does not pass.
func broken(r *checks.Report, strict bool) string {
	var names []string
	for _, f := range r.Findings {
		if f.Counts() && (f.Severity == checks.Error || strict) && !slices.Contains(names, f.Rule) {
			names = append(names, f.Rule)
		}
	}
	return fmt.Sprintf("%s breaks rules: %s", r.Subject.Name, strings.Join(names, ", "))
}
