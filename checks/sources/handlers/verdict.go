package handlers

import (
	"maps"
)

// A Level is how far a chain of handlers has a property. Higher ones are better.
type Level int

const (
	// Missing is a chain that was followed to its end, and has nothing of it.
	Missing Level = iota
	// Wrong is one that tries, in a way that does not do.
	Wrong
	// Unknown is one that could not be followed.
	Unknown
	// Held is one that has it.
	Held
	// Exempt is one of which nobody asks it.
	Exempt
)

// A Part is what a chain has of one property, and for Wrong and Unknown why. Of Missing
// it is whose answers they are, such as "those of hello", empty if nobody knows.
type Part struct {
	Level Level
	Why   string
}

// A Verdict is what a chain does for every request that goes through it.
type Verdict struct {
	// Host is the refusal of strange hosts with 400.
	Host Part
	// Sniff is X-Content-Type-Options: nosniff, and Frame is X-Frame-Options or a policy
	// with frame-ancestors.
	Sniff, Frame Part
}

// parts of a verdict, to do the same with each.
func (v *Verdict) parts() [3]*Part { return [3]*Part{&v.Host, &v.Sniff, &v.Frame} }

var (
	nothing = Verdict{}
	exempt  = all(Exempt, "")
)

func all(l Level, why string) Verdict {
	p := Part{l, why}
	return Verdict{p, p, p}
}

// Dark is the verdict on what nobody sees, and why.
func Dark(why string) Verdict { return all(Unknown, why) }

// each makes a verdict of two by their parts.
func each(a, b Verdict, do func(a, b Part) Part) Verdict {
	var out Verdict
	for i, p := range out.parts() {
		*p = do(*a.parts()[i], *b.parts()[i])
	}
	return out
}

// best is the higher of two parts. Of equals it is always the same one, in whatever
// order they come.
func best(a, b Part) Part {
	if b.Level > a.Level || b.Level == a.Level && b.before(a) {
		return b
	}
	return a
}

// before tells which of two parts of one level is told: one that says something.
func (p Part) before(o Part) bool {
	return p.Why != "" && (o.Why == "" || p.Why < o.Why)
}

// name says whose answers those are that nothing is known of yet.
func (v *Verdict) name(whose string) {
	for _, p := range v.parts() {
		if p.Level == Missing && p.Why == "" {
			p.Why = whose
		}
	}
}

// After is what two handlers do of which one follows the other.
func (v Verdict) After(o Verdict) Verdict {
	return each(v, o, best)
}

// And is what holds of two ways that requests take.
func (v Verdict) And(o Verdict) Verdict {
	return each(v, o, func(a, b Part) Part {
		if b.Level < a.Level || b.Level == a.Level && b.before(a) {
			return b
		}
		return a
	})
}

// under is a verdict on what is done on a condition alone.
func (v Verdict) under(cond string) Verdict {
	for _, p := range v.parts() {
		if p.Level == Held || p.Level == Wrong {
			*p = Part{Unknown, "a middleware is used where " + cond + " says so"}
		}
	}
	return v
}

// A Summary is what a value does that handles requests, or that a function makes of the
// handlers it is given.
type Summary struct {
	// Own is what holds of all ways that end in a handler that was found.
	Own Verdict
	// Holes are the ways that lead into something else: into what a parameter
	// (*types.Var) is given, by what is done before that.
	Holes map[any]Verdict
	// Mid is what it does before it hands a request to whatever it may be.
	Mid Verdict
	// Under are the parameters whose middleware is around all of it.
	Under map[any]bool
	// Paths are the constant paths that are answered without a look at the host.
	Paths map[string]bool
}

func leaf(v Verdict) Summary { return Summary{Own: v} }

func unknown(why string) Summary { return leaf(all(Unknown, why)) }

// hole is a handler that something else decides on.
func hole(key any) Summary { return Summary{Own: exempt, Holes: map[any]Verdict{key: nothing}} }

// After is the handler behind something that does v.
func (s Summary) After(v Verdict) Summary {
	out := Summary{Own: s.Own.After(v), Mid: s.Mid.After(v), Under: s.Under}
	if v.Host.Level != Held {
		out.Paths = s.Paths
	}
	for k, h := range s.Holes {
		out.hole(k, h.After(v))
	}
	return out
}

func (s *Summary) hole(key any, v Verdict) {
	if s.Holes == nil {
		s.Holes = make(map[any]Verdict)
	}
	if old, ok := s.Holes[key]; ok {
		v = v.And(old)
	}
	s.Holes[key] = v
}

// And is what holds of two handlers both of which are reached.
func (s Summary) And(o Summary) Summary {
	out := Summary{Own: s.Own.And(o.Own), Mid: s.Mid.And(o.Mid), Holes: maps.Clone(s.Holes)}
	for k, h := range o.Holes {
		out.hole(k, h)
	}
	out.Under = union(s.Under, o.Under)
	out.Paths = union(s.Paths, o.Paths)
	return out
}

func union[K comparable](a, b map[K]bool) map[K]bool {
	if len(a) == 0 {
		return b
	}
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// fill puts a handler where a hole is.
func (s Summary) fill(key any, with Summary) Summary {
	before, ok := s.Holes[key]
	if !ok {
		return s
	}
	mid := s.Mid
	s.Holes = maps.Clone(s.Holes)
	delete(s.Holes, key)
	out := s.And(with.After(before))
	out.Mid = mid
	return out
}

// hopeful is what it comes to if whatever fills the holes has all of it.
func (s Summary) hopeful() Verdict {
	v := s.Own
	for _, h := range s.Holes {
		v = v.And(h.After(all(Held, "")))
	}
	return v
}

// or is one handler or the other, of which nobody knows which. What only one of them has,
// or may have, is there or not.
func (s Summary) or(o Summary) Summary {
	out := s.And(o)
	a, b := s.hopeful(), o.hopeful()
	for i, p := range out.Own.parts() {
		x, y := a.parts()[i].Level, b.parts()[i].Level
		if min(x, y) < Unknown && max(x, y) >= Unknown && max(x, y) != Exempt && p.Level < Unknown {
			*p = Part{Unknown, "it is there under some condition alone"}
		}
	}
	return out
}

// either is one of several, whose order does not matter.
func either(list []Summary) Summary {
	if len(list) == 0 {
		return leaf(exempt)
	}
	out := list[0]
	for _, s := range list[1:] {
		out = out.or(s)
	}
	return out
}
