package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"temper/checks"
	"temper/pipeline/evidence"
	"temper/pipeline/release"
)

// Opened is a release that is what the policy asks for.
type Opened struct {
	*release.Release
	// Also are the signers beside the one whose evidence the release holds, as
	// [release.Release.Signer] names them.
	Also []string
	// Provenance and Report are the statements that the policy took: an image that
	// was released twice has two of each. Nil where it asks for none and there is
	// none.
	Provenance, Report *evidence.Statement
}

// Open gets a release that every signer of the policy signed, and that is what
// it asks for. The error is as [release.Open] has it; of a release that is not
// what the policy asks for it is a [*release.Refusal] that says all that is
// amiss.
func (p *Policy) Open(ctx context.Context, ref name.Reference, opts release.Options, now time.Time) (*Opened, error) {
	if len(p.Signers) == 0 {
		return nil, errors.New("a policy without signers; name who must have signed")
	}
	at := ref
	var o Opened
	for _, s := range p.Signers {
		r, err := p.signed(ctx, at, s, opts)
		if no := (*release.Refusal)(nil); errors.As(err, &no) {
			no.Ref = ref.String()
		}
		if err != nil {
			return nil, err
		}
		at = r.Digest // a tag may move on the way
		if !s.SignatureOnly && o.Release == nil {
			o.Release = r
			o.Provenance, o.Report, err = p.judge(ref.String(), r, now)
		} else {
			o.Also = append(o.Also, r.Signer)
			if !s.SignatureOnly {
				_, _, err = p.judge(ref.String(), r, now)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if o.Release == nil {
		return nil, errors.New("a policy whose signers attest nothing; name one without SignatureOnly")
	}
	o.Ref = ref.String()
	return &o, nil
}

// signed opens the release by one of those who will do.
func (p *Policy) signed(ctx context.Context, ref name.Reference, s Signer, opts release.Options) (*release.Release, error) {
	var no error
	for _, b := range s.AnyOf {
		r, err := release.Open(ctx, ref, b.by, release.Policy{Format: p.Format, SignatureOnly: s.SignatureOnly, Needs: p.Predicates, Annotations: s.Annotations}, opts)
		var refusal *release.Refusal
		switch {
		case err == nil:
			return r, nil
		case !errors.As(err, &refusal):
			return nil, err
		case refusal.Reason == release.Moved:
			return nil, err
		}
		no = closer(no, err)
	}
	return nil, no
}

// closer is the refusal that came nearer to a yes, for it says what is missing.
func closer(a, b error) error {
	order := []release.Reason{release.Unsigned, release.Untrusted, release.Altered, release.Unannotated, release.Incomplete}
	rank := func(err error) int {
		var no *release.Refusal
		if !errors.As(err, &no) {
			return -1
		}
		return slices.Index(order, no.Reason)
	}
	if a == nil || rank(b) > rank(a) {
		return b
	}
	return a
}

// judge holds the evidence against the policy, and returns what of it counts.
func (p *Policy) judge(ref string, r *release.Release, now time.Time) (provenance, report *evidence.Statement, err error) {
	provenance, noes, err := best(of(r.Statements, evidence.Provenance), func(s *evidence.Statement) ([]string, error) {
		from, err := s.Origin()
		if err != nil {
			return nil, err
		}
		return p.against(from, now), nil
	})
	if err != nil {
		return nil, nil, err
	}
	report, more, err := best(Reports(r), func(s *evidence.Statement) ([]string, error) {
		report, err := s.Report()
		if err != nil {
			return nil, err
		}
		return p.checked(report, now), nil
	})
	if err != nil {
		return nil, nil, err
	}
	if noes = append(noes, more...); len(noes) > 0 {
		return nil, nil, release.Refuse(release.Refused, ref, strings.Join(noes, "; "))
	}
	return provenance, report, nil
}

// best is the statement with which the least is amiss, and what that is: an image that was released twice has two, and one of them will do. Of two
// builds the later counts.
func best(all []*evidence.Statement, amiss func(*evidence.Statement) ([]string, error)) (one *evidence.Statement, least []string, err error) {
	var at time.Time
	for _, s := range all {
		noes, err := amiss(s)
		if err != nil {
			return nil, nil, err
		}
		var finished time.Time
		if from, err := s.Origin(); err == nil {
			finished = from.Finished
		}
		if one == nil || len(noes) < len(least) || len(noes) == len(least) && !finished.Before(at) {
			one, least, at = s, noes, finished
		}
	}
	return one, least, nil
}

// Reports are the check reports of a release that are leave to ship it: its signer
// may have signed one that failed as well, or the results of other tests.
func Reports(r *release.Release) []*evidence.Statement {
	return slices.DeleteFunc(of(r.Statements, evidence.TestResult), func(s *evidence.Statement) bool { return s.Passed() != nil })
}

func of(all []*evidence.Statement, predicateType string) []*evidence.Statement {
	return slices.DeleteFunc(slices.Clone(all), func(s *evidence.Statement) bool { return s.PredicateType != predicateType })
}

// against says what of a release's origin the policy does not take.
func (p *Policy) against(from *evidence.Origin, now time.Time) []string {
	var noes []string
	no := func(format string, args ...any) { noes = append(noes, fmt.Sprintf(format, args...)) }
	if p.Services != nil && !slices.Contains(p.Services, from.Service) {
		no("it is the service %q, and the policy wants %s", from.Service, either(p.Services))
	}
	if p.Builders != nil && !slices.Contains(p.Builders, from.Builder) {
		no("it was built by %q, and the policy wants %s", from.Builder, either(p.Builders))
	}
	if p.Sources != nil {
		same := sameSource(from.Source.URI)
		if same == "" || !slices.ContainsFunc(p.Sources, func(s Source) bool { return s.same == same }) {
			no("its source is %q, and the policy wants %s", from.Source.URI, either(p.Sources))
		}
		switch {
		case from.Source.Commit == "":
			no("its provenance names no commit")
		case from.Source.Dirty && !p.Uncommitted:
			no("its source had changes that were not committed")
		}
	}
	if p.Bases != nil && !slices.ContainsFunc(p.Bases, func(b Base) bool { return b.allows(from) }) {
		on := strings.TrimSuffix(fmt.Sprintf("%s %s", from.Base.Name, from.Base.Digest), " :")
		if signer := from.Signed.String(); signer != "" {
			on += " signed by " + signer
		}
		no("it stands on %s, and the policy wants %s", on, either(p.Bases))
	}
	if p.MaxAge > 0 {
		const drift = 5 * time.Minute // of two clocks
		switch age := now.Sub(from.Finished); {
		case from.Finished.IsZero():
			no("its provenance does not say when it was built")
		case age < -drift:
			no("its build ended at %s, which is yet to come", from.Finished.UTC().Format(time.RFC3339))
		case age > p.MaxAge:
			no("its build ended at %s, %s ago, and the policy wants at most %s", from.Finished.UTC().Format(time.RFC3339), days(age), days(p.MaxAge))
		}
	}
	return noes
}

// checked says what of a check report the policy does not take.
func (p *Policy) checked(r *checks.Report, now time.Time) []string {
	var noes, missing []string
	for _, rule := range p.Rules {
		if !slices.Contains(r.Rules, rule) {
			missing = append(missing, rule)
		}
	}
	if len(missing) > 0 {
		noes = append(noes, "no report says that these rules looked at it: "+strings.Join(missing, ", "))
	}
	if n := r.Count(checks.Warning); p.Strict && n > 0 {
		noes = append(noes, fmt.Sprintf("its report has warnings (%d), and the policy is strict", n))
	}
	for _, w := range r.Waivers() {
		switch {
		case w.Expired(now):
			noes = append(noes, fmt.Sprintf("the waiver of %s for %s expired: it was until %s", w.Rule, w.Subject, w.Expires))
		case !p.Accepts(w, now):
			noes = append(noes, fmt.Sprintf("%s is waived for %s (%s), which the policy does not accept", w.Rule, w.Subject, w.Reason))
		}
	}
	return noes
}

// Accepts tells whether the policy lets errors pass that the waiver accepts.
func (p *Policy) Accepts(w checks.Waiver, now time.Time) bool {
	return !w.Expired(now) && (p.Waivers == nil || slices.ContainsFunc(p.Waivers, func(a Waiver) bool { return a.accepts(w) }))
}

func (w Waiver) accepts(given checks.Waiver) bool {
	return w.Rule == given.Rule && (w.Subject == "" || w.Subject == given.Subject)
}

// either lists what would do.
func either[T any](all []T) string {
	var texts []string
	for _, one := range all {
		texts = append(texts, fmt.Sprint(one))
	}
	return strings.Join(texts, " or ")
}

// days is a span of time as people say it.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", d/day)
}
