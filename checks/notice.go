package checks

import "fmt"

// A Notice tells that something which accepts findings needs to be looked
// after, or what a rule could not tell. It never fails.
type Notice struct {
	Kind NoticeKind `json:"kind"`
	// Rule is empty for what is about none in particular.
	Rule string `json:"rule"`
	// Place is where the finding stood or would stand, empty for a waiver.
	Place   string `json:"place,omitempty"`
	Message string `json:"message"`
}

// A NoticeKind says which of them, to machines.
type NoticeKind string

const (
	// WaiverExpired is about a waiver that accepts nothing any more.
	WaiverExpired NoticeKind = "waiver-expired"
	// WaiverUnused is about a waiver that matches no finding.
	WaiverUnused NoticeKind = "waiver-unused"
	// BaselineGone is about an entry of a baseline whose finding is gone.
	BaselineGone NoticeKind = "baseline-gone"
	// RuleUndecided is about what a rule could not tell from what it looks at.
	RuleUndecided NoticeKind = "undecided"
	// IgnoreUnused is about a comment that ignores what is not found there.
	IgnoreUnused NoticeKind = "ignore-unused"
	// LeftOut is about a part of the subject that no rule has looked at, and why not.
	LeftOut NoticeKind = "left-out"
)

func (r *Report) noticef(kind NoticeKind, rule, place, format string, args ...any) {
	r.Notices = append(r.Notices, Notice{kind, rule, place, fmt.Sprintf(format, args...)})
}

// LeaveOut returns the report with a notice about a part of its subject that no rule has
// looked at.
func (r *Report) LeaveOut(place, why string) *Report {
	out := r.clone()
	out.noticef(LeftOut, "", place, "%s", why)
	out.sort()
	return out
}
