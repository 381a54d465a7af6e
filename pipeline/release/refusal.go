package release

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// A Reason tells one "no" from another.
type Reason string

const (
	// Unsigned: there is no signature at all.
	Unsigned Reason = "unsigned"
	// Untrusted: there are signatures, and none is a trusted one of this image.
	Untrusted Reason = "untrusted"
	// Unannotated: the trusted signatures do not carry the annotations asked for.
	Unannotated Reason = "unannotated"
	// Incomplete: a signature is there, and something that belongs with it is not.
	Incomplete Reason = "incomplete"
	// Altered: the registry serves bytes that are not those of the digest.
	Altered Reason = "altered"
	// Moved: the tag names another digest than the one beside it.
	Moved Reason = "moved"
	// Refused: Publish was asked to release what may not be released, or a policy
	// asks for what is not so.
	Refused Reason = "refused"
)

// A Refusal is a "no": the image was looked at, and it does not pass.
type Refusal struct {
	Reason Reason
	// Ref is the image, as the caller named it.
	Ref string
	// Detail says what was found, for people.
	Detail string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s is %s: %s", r.Ref, r.Reason, r.Detail)
}

func refuse(reason Reason, ref, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Ref: ref, Detail: printable(fmt.Sprintf(format, args...))}
}

// Refuse is for those who ask for more than Open does. What strangers have a
// say in may stand in the detail.
func Refuse(reason Reason, ref, detail string) *Refusal { return refuse(reason, ref, "%s", detail) }

// printable takes out of a detail what would do more than be read, on a
// terminal or in the log of a CI system: strangers have a say in it.
func printable(detail string) string {
	const enough = 2000
	if len(detail) > enough {
		detail = detail[:enough] + "..."
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, detail)
}

// ErrNotFound means that the registry has no such image: the tag, the digest
// or the repository is not there.
var ErrNotFound = errors.New("no such image")

// errTooLarge and errAltered are said of something fetched that cannot be
// evidence, whoever put it there.
var (
	errTooLarge = errors.New("is larger than evidence may be")
	errAltered  = errors.New("is not what its digest says")
)

// missing tells whether the registry answered that it does not have it.
func missing(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

// useless tells whether the error is about the thing fetched rather than about
// fetching: then it is no evidence, and the next candidate may be.
func useless(err error) bool {
	return missing(err) || errors.Is(err, errTooLarge) || errors.Is(err, errAltered)
}
