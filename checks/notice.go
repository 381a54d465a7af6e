package checks

import "fmt"

// A Notice tells that something which accepts findings needs to be looked
// after. It is not about the subject and never fails.
type Notice struct {
	Kind NoticeKind `json:"kind"`
	Rule string     `json:"rule"`
	// Place is where the finding stood, empty for a waiver.
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
)

func (r *Report) noticef(kind NoticeKind, rule, place, format string, args ...any) {
	r.Notices = append(r.Notices, Notice{kind, rule, place, fmt.Sprintf(format, args...)})
}
