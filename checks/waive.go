package checks

import (
	"fmt"
	"strings"
	"time"
)

// A Waiver accepts what one rule finds about one subject, for a time and for a
// reason. It never takes a finding out of a report.
type Waiver struct {
	// Rule and Subject are the name of a rule and of a subject, letter by
	// letter.
	Rule    string `json:"rule"`
	Subject string `json:"subject"`
	// Reason is for whoever reads the report.
	Reason string `json:"reason"`
	// Expires is a day, YYYY-MM-DD; the waiver holds to the end of it, UTC.
	Expires string `json:"expires"`
	// Source is empty, but for what the source itself accepts: there it is the place
	// where it does, FILE:LINE, and Expires is empty.
	Source string `json:"source,omitempty"`
}

// Waived is what is left on a finding that a waiver accepts, or the source itself. What
// the source accepts has no end: it stands beside what it is about, is reviewed with
// it, and goes with it.
type Waived struct {
	Reason string `json:"reason"`
	// Expires is empty where Source is not.
	Expires string `json:"expires"`
	// Source is where in the source it stands, FILE:LINE.
	Source string `json:"source,omitempty"`
}

// String says who accepts the finding, and why.
func (w *Waived) String() string {
	if w.Source != "" {
		return fmt.Sprintf("ignored by %s: %s", w.Source, w.Reason)
	}
	return fmt.Sprintf("waived until %s: %s", w.Expires, w.Reason)
}

// Waive returns the report with the waivers about its subject applied, as of
// now: what a waiver accepts is marked, and counts no longer. A waiver that has
// expired accepts nothing, and one that matches nothing is of no use; the report
// has a notice for either. Waivers about other subjects are left alone.
//
// A waiver that lacks anything is an error, whatever it is about.
func Waive(r *Report, waivers []Waiver, now time.Time) (*Report, error) {
	out := r.clone()
	for _, w := range waivers {
		end, err := w.end()
		if err != nil {
			return nil, err
		}
		if w.Subject != r.Subject.Name {
			continue
		}
		expired := !now.Before(end)
		matches := 0
		for i := range out.Findings {
			f := &out.Findings[i]
			if f.Rule != w.Rule {
				continue
			}
			matches++
			if !expired && f.Waived == nil {
				f.Waived = &Waived{Reason: w.Reason, Expires: w.Expires}
			}
		}
		switch {
		case expired && matches > 0:
			out.noticef(WaiverExpired, w.Rule, "", "the waiver expired on %s: %s", w.Expires, w.Reason)
		case expired:
			out.noticef(WaiverExpired, w.Rule, "", "the waiver expired on %s and matches nothing; remove it", w.Expires)
		case matches == 0:
			out.noticef(WaiverUnused, w.Rule, "", "the waiver until %s matches nothing; remove it", w.Expires)
		}
	}
	out.sort()
	return out, nil
}

// end is the moment from which the waiver accepts nothing.
func (w Waiver) end() (time.Time, error) {
	if w.Rule == "" || w.Subject == "" || w.Reason == "" {
		return time.Time{}, fmt.Errorf("waiver of rule %q for %q lacks a rule, a subject or a reason", w.Rule, w.Subject)
	}
	return lastDay(w.Expires)
}

// lastDay returns the end of a day.
func lastDay(text string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("expires %q is not a day, such as 2027-03-01", text)
	}
	return day.AddDate(0, 0, 1), nil
}

// Expired tells whether the waiver holds no longer. One that does not say until
// when it holds has expired, unless it stands in the source.
func (w Waiver) Expired(now time.Time) bool {
	if w.Source != "" && w.Expires == "" {
		return false
	}
	end, err := lastDay(w.Expires)
	return err != nil || !now.Before(end)
}

// IsWaived tells whether a waiver accepts the finding, or its source: the mark has a
// reason and a day, or a place in the file of the finding, for without them it is worth
// nothing.
func (f Finding) IsWaived() bool {
	if f.Waived == nil || f.Waived.Reason == "" {
		return false
	}
	if f.Waived.Source != "" && f.Waived.Expires == "" {
		return f.File != "" && strings.HasPrefix(f.Waived.Source, f.File+":")
	}
	_, err := lastDay(f.Waived.Expires)
	return err == nil
}

// Waivers returns what was waived, or ignored in the source, once for each rule, in
// the order of the findings.
func (r *Report) Waivers() []Waiver {
	var list []Waiver
	seen := make(map[Waiver]bool)
	for _, f := range r.Findings {
		if f.Waived == nil {
			continue
		}
		w := Waiver{f.Rule, r.Subject.Name, f.Waived.Reason, f.Waived.Expires, f.Waived.Source}
		if !seen[w] {
			seen[w] = true
			list = append(list, w)
		}
	}
	return list
}
