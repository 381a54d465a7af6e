package checks

import (
	"fmt"
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
}

// Waived is what a waiver leaves on a finding that it accepts.
type Waived struct {
	Reason  string `json:"reason"`
	Expires string `json:"expires"`
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
				f.Waived = &Waived{w.Reason, w.Expires}
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
// when it holds has expired.
func (w Waiver) Expired(now time.Time) bool {
	end, err := lastDay(w.Expires)
	return err != nil || !now.Before(end)
}

// IsWaived tells whether a waiver accepts the finding: its mark has a reason
// and a day, for without them it is worth nothing.
func (f Finding) IsWaived() bool {
	if f.Waived == nil || f.Waived.Reason == "" {
		return false
	}
	_, err := lastDay(f.Waived.Expires)
	return err == nil
}

// Waivers returns what was waived, once for each rule, in the order of the
// findings.
func (r *Report) Waivers() []Waiver {
	var list []Waiver
	seen := make(map[Waiver]bool)
	for _, f := range r.Findings {
		if f.Waived == nil {
			continue
		}
		w := Waiver{f.Rule, r.Subject.Name, f.Waived.Reason, f.Waived.Expires}
		if !seen[w] {
			seen[w] = true
			list = append(list, w)
		}
	}
	return list
}
