package release

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"temper/pipeline/evidence"
)

// Claims are what is said of one manifest in one form.
type claims struct {
	form Format
	// signings are the trusted signings of this very manifest.
	signings []signing
	// unlike are those that do not carry the annotations asked for.
	unlike []error
	// statements are the trusted ones about this very manifest.
	statements []statement
	// rejected are the others, and rejectedSignatures those of them that say
	// they are signings.
	rejected, rejectedSignatures []error
	// known are the envelopes that were verified before.
	known *known
}

// A statement that was verified, and the bytes that were signed.
type statement struct {
	*evidence.Statement
	raw []byte
	// by is who signed it, the zero value if that was a key.
	by Identity
}

// A signing is what is known of a signature that was verified.
type signing struct {
	// by is whose it is, the zero value if that is a key.
	by Identity
	// at is when it was made, as a log or an authority saw it; zero for a key.
	at time.Time
	// annotations are what the signature says beside.
	annotations map[string]any
}

// add takes what a trusted signer signed. A statement about something else is
// no claim about this manifest, however it came to be attached to it.
func (c *claims) add(e enclosed, raw []byte, about v1.Hash, sig signing) error {
	s := c.known.find(e)
	if s == nil {
		var err error
		if s, err = evidence.Parse(raw); err != nil {
			return err
		}
		c.known.note(e, s)
	}
	if !s.About(about) {
		return fmt.Errorf("it is about %s", subjects(s))
	}
	if s.PredicateType == signPredicate {
		sig.annotations = s.Annotations(about)
		c.signings = append(c.signings, sig)
		return nil
	}
	c.take(statement{s, raw, sig.by})
	return nil
}

// take adds a statement, if it is not there.
func (c *claims) take(s statement) {
	if !c.of(s.by).holds(s.raw) {
		c.statements = append(c.statements, s)
	}
}

// holds tells whether the statement, byte for byte, is among the claims.
func (c *claims) holds(raw []byte) bool {
	return slices.ContainsFunc(c.statements, func(s statement) bool { return bytes.Equal(s.raw, raw) })
}

// signed tells whether a trusted signature is there.
func (c *claims) signed() bool { return len(c.signings) > 0 }

// of returns what one identity claims, and nothing of what others do.
func (c *claims) of(who Identity) *claims {
	one := *c
	one.signings = slices.DeleteFunc(slices.Clone(c.signings), func(s signing) bool { return s.by != who })
	one.statements = slices.DeleteFunc(slices.Clone(c.statements), func(s statement) bool { return s.by != who })
	return &one
}

// signers are those whose signatures are there, in a fixed order.
func (c *claims) signers() []Identity {
	var all []Identity
	for _, s := range c.signings {
		all = append(all, s.by)
	}
	slices.SortFunc(all, func(a, b Identity) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), strings.Compare(a.Issuer, b.Issuer))
	})
	return slices.Compact(all)
}

// first is when the first of the signatures was made, zero if nobody saw it.
func (c *claims) first() time.Time {
	var first time.Time
	for _, s := range c.signings {
		if first.IsZero() || s.at.Before(first) {
			first = s.at
		}
	}
	return first
}

// reject notes why a candidate does not count. What it says of itself is not
// believed; it only chooses between "unsigned" and "untrusted".
func (c *claims) reject(err error, isSignature bool) {
	if isSignature {
		c.rejectedSignatures = append(c.rejectedSignatures, err)
		return
	}
	c.rejected = append(c.rejected, err)
}

// join returns the claims of several forms as if they were one.
func join(forms ...*claims) *claims {
	all := &claims{}
	for _, c := range forms {
		all.signings = append(all.signings, c.signings...)
		all.unlike = append(all.unlike, c.unlike...)
		all.rejected = append(all.rejected, c.rejected...)
		all.rejectedSignatures = append(all.rejectedSignatures, c.rejectedSignatures...)
		for _, s := range c.statements {
			all.take(s)
		}
	}
	return all
}

// gather lets a function look at each of several things, at several at once, and adds
// up what each of them claims, in their order.
func (c *claims) gather(n int, look func(one *claims, i int)) {
	each := make([]*claims, n)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range each {
		each[i] = &claims{form: c.form, known: c.known}
		g.Go(func() error {
			look(each[i], i)
			return nil
		})
	}
	g.Wait()
	all := join(append([]*claims{c}, each...)...)
	all.form, all.known = c.form, c.known
	*c = *all
}

// judge says whether the claims suffice for the manifest, and if not, why.
func (c *claims) judge(m manifest, needs []string, by *Verifier) error {
	in := ""
	if c.form != "" {
		in = " in " + string(c.form) + " form"
	}
	switch {
	case c.signed():
	case len(c.unlike) > 0:
		return refuse(Unannotated, "", "no signature of %s%s by %s carries what is asked for: %s", m, in, by, list(c.unlike))
	case len(c.rejectedSignatures) > 0:
		return refuse(Untrusted, "", "no signature of %s%s is by %s: %s", m, in, by, list(c.rejectedSignatures))
	case len(c.statements) > 0:
		return refuse(Unsigned, "", "%s has statements%s by %s, and no signature", m, in, by)
	case len(c.rejected) > 0:
		return refuse(Unsigned, "", "%s has no signature%s; beside it: %s", m, in, list(c.rejected))
	default:
		return refuse(Unsigned, "", "%s has no signature%s", m, in)
	}
	for _, need := range needs {
		if err := c.provide(need); err != nil {
			beside := ""
			if len(c.rejected) > 0 {
				beside = "; beside it: " + list(c.rejected)
			}
			return refuse(Incomplete, "", "%s has %v%s by %s%s", m, err, in, by, beside)
		}
	}
	return nil
}

// provide says whether a statement with the predicate type is there that can
// stand for what it is needed for.
func (c *claims) provide(predicateType string) error {
	err := fmt.Errorf("no %s (%s)", called(predicateType), predicateType)
	for _, s := range c.statements {
		if s.PredicateType == predicateType {
			if err = stands(s.Statement); err == nil {
				return nil
			}
		}
	}
	return err
}

// stands says whether a statement can stand for what it is needed for.
func stands(s *evidence.Statement) error {
	if s.PredicateType != evidence.TestResult {
		return nil
	}
	return s.Passed()
}

func called(predicateType string) string {
	switch predicateType {
	case evidence.SPDX:
		return "SBOM"
	case evidence.CycloneDX:
		return "CycloneDX SBOM"
	case evidence.Provenance:
		return "provenance"
	case evidence.TestResult:
		return "check report"
	}
	return "statement"
}

func subjects(s *evidence.Statement) string {
	var all []string
	for _, sub := range s.Subject {
		all = append(all, fmt.Sprintf("%s sha256:%s", sub.Name, sub.Digest["sha256"]))
	}
	return strings.TrimSpace(shorten(all))
}

// list joins the first of the reasons; there may be hundreds.
func list(errs []error) string {
	all := make([]string, len(errs))
	for i, err := range errs {
		all[i] = err.Error()
	}
	return shorten(slices.Compact(all))
}

func shorten(all []string) string {
	const some = 3
	if len(all) > some {
		return strings.Join(all[:some], "; ") + fmt.Sprintf("; and %d more", len(all)-some)
	}
	return strings.Join(all, "; ")
}
