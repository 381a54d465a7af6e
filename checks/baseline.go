package checks

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"temper/checks/pattern"
)

// A Baseline is what a check found when the rules were adopted: it is accepted,
// and what is new fails. It is a help to check by and no leave to release, which
// takes waivers only.
//
// Its file is JSON, sorted, so that it can be reviewed and merged:
//
//	{
//	  "version": 1,
//	  "findings": [
//	    {"subject": "orders", "rule": "shell", "place": "layer: /bin/sh", "message": "sh is a shell"}
//	  ]
//	}
//
// The number of a layer and digests are left out, for they change with builds
// that change nothing else. So is the platform: what is known on one is known on
// all.
type Baseline struct {
	known []known
}

// known is what two findings have in common that are one thing to mend.
type known struct {
	Subject string `json:"subject"`
	Rule    string `json:"rule"`
	Place   string `json:"place"`
	Message string `json:"message"`
}

// baselineVersion is that of the file. A reader refuses every other.
const baselineVersion = 1

type baselineFile struct {
	Version  int     `json:"version"`
	Findings []known `json:"findings"`
}

// NewBaseline accepts what the reports hold, without what is waived: a waiver
// has an end, and a baseline would outlive it.
func NewBaseline(reports ...*Report) *Baseline {
	b := &Baseline{}
	for _, r := range reports {
		for _, f := range r.Findings {
			if !f.IsWaived() {
				b.known = append(b.known, r.known(f))
			}
		}
	}
	b.sort()
	return b
}

// ParseBaseline reads the file of a baseline.
func ParseBaseline(data []byte) (*Baseline, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var file baselineFile
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("reading baseline: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("reading baseline: something follows its JSON object")
	}
	if file.Version != baselineVersion {
		return nil, fmt.Errorf("reading baseline: its version is %d, want %d", file.Version, baselineVersion)
	}
	for _, k := range file.Findings {
		if k.Subject == "" || k.Rule == "" {
			return nil, fmt.Errorf("reading baseline: the finding %q has no subject or no rule", k.Message)
		}
	}
	b := &Baseline{known: file.Findings}
	b.sort()
	return b, nil
}

// Bytes returns the file of the baseline.
func (b *Baseline) Bytes() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(baselineFile{baselineVersion, append([]known{}, b.known...)}); err != nil {
		return nil, fmt.Errorf("writing baseline: %w", err)
	}
	return out.Bytes(), nil
}

// Mark returns the report with the findings marked that the baseline holds, but
// for those that are waived, and with a notice for each of its entries about
// this subject that is gone. What a rule that has not run would find is not
// known, and not gone.
func (b *Baseline) Mark(r *Report) *Report {
	out := r.clone()
	subject := r.known(Finding{}).Subject
	found := make(map[known]bool)
	for i := range out.Findings {
		f := &out.Findings[i]
		k := r.known(*f)
		found[k] = true
		_, holds := slices.BinarySearchFunc(b.known, k, known.compare)
		f.Baseline = holds && !f.IsWaived()
	}
	for _, k := range b.known {
		if k.Subject == subject && slices.Contains(r.Rules, k.Rule) && !found[k] {
			out.noticef(BaselineGone, k.Rule, k.Place, "in the baseline, and gone: %s", k.Message)
		}
	}
	out.sort()
	return out
}

func (b *Baseline) sort() {
	slices.SortStableFunc(b.known, known.compare)
	b.known = slices.Compact(b.known)
}

func (k known) compare(l known) int {
	return cmp.Or(cmp.Compare(k.Subject, l.Subject), cmp.Compare(k.Rule, l.Rule),
		cmp.Compare(k.Place, l.Place), cmp.Compare(k.Message, l.Message))
}

// known is a finding of the report, without what changes from build to build.
func (r *Report) known(f Finding) known {
	return known{
		Subject: digests().ReplaceAllString(r.Subject.Name, "sha256"),
		Rule:    f.Rule,
		Place:   digests().ReplaceAllString(layerFirst().ReplaceAllString(f.Place, "layer"), "sha256"),
		Message: digests().ReplaceAllString(layers().ReplaceAllString(f.Message, "layer"), "sha256"),
	}
}

var (
	// A path may hold a text like layer 2; what a place begins with is ours.
	layerFirst = pattern.New(`^layer [0-9]+`)
	layers     = pattern.New(`\blayer [0-9]+`)
	digests    = pattern.New(`sha256:[0-9a-f]{64}`)
)
