package service

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"temper/checks/pattern"
)

// Every function here takes the text of one value and returns what it means,
// or says what is wrong with it and what to write instead.

// component is what the OCI distribution specification allows between the
// slashes of a repository's name:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
var component = pattern.New(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)

const longestName = 128

func parseName(text string) (string, error) {
	if len(text) > longestName {
		return "", fmt.Errorf("name of %d characters; write at most %d", len(text), longestName)
	}
	if !component().MatchString(text) {
		return "", fmt.Errorf("name %q does not fit a registry; write lower-case letters and digits, "+
			`with ".", "_" or "-" between them, such as %s`, text, fit(text))
	}
	return text, nil
}

var separators = pattern.New(`[._-]+`)

// fit makes a service's name of any text.
func fit(text string) string {
	text = strings.Map(func(r rune) rune {
		r = unicode.ToLower(r)
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, text)
	if !component().MatchString(text) {
		text = separators().ReplaceAllStringFunc(text, func(s string) string {
			if s == "." || s == "_" || s == "__" {
				return s
			}
			return "-"
		})
		text = strings.Trim(text, "._-")
	}
	if len(text) > longestName {
		text = strings.TrimRight(text[:longestName], "._-")
	}
	if text == "" {
		return "service"
	}
	return text
}

// parseUser takes "uid:gid" or "uid", which stands for a group of that number.
// Names are refused: what they mean is up to the /etc/passwd of the image, and
// Kubernetes' runAsNonRoot cannot tell that they are not root.
func parseUser(text string) (string, error) {
	uid, gid, both := strings.Cut(text, ":")
	if !both {
		gid = uid
	}
	if err := numeric("user", uid, text); err != nil {
		return "", err
	}
	if err := numeric("group", gid, text); err != nil {
		return "", err
	}
	return uid + ":" + gid, nil
}

func numeric(what, id, text string) error {
	const most = 1<<32 - 2 // the highest is -1 to chown(2): no change
	number, err := strconv.ParseUint(id, 10, 64)
	switch {
	case id == "":
		return fmt.Errorf("user %q names no %s; write numbers, such as %s", text, what, DefaultUser)
	case strings.Trim(id, "0123456789") != "":
		return fmt.Errorf("%s %q is not a number; write the number that it stands for, such as %s",
			what, id, DefaultUser)
	case strings.Trim(id, "0") == "":
		return fmt.Errorf("%s %s is root; write another, such as %s", what, id, DefaultUser)
	case id[0] == '0':
		return fmt.Errorf("%s %s has leading zeros; write %s", what, id, strings.TrimLeft(id, "0"))
	case err != nil || number > most:
		return fmt.Errorf("%s %s is above %d", what, id, uint64(most))
	}
	return nil
}

func parsePort(text string) (int, error) {
	port, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(port) != text || port < 1 || port > 65535 {
		return 0, fmt.Errorf("port %q is not a number between 1 and 65535", text)
	}
	return port, nil
}

var (
	release   = pattern.New(`^1\.(0|[1-9]\d*)(\.(0|[1-9]\d*)|(rc|beta)[1-9]\d*)$`)
	inexact   = pattern.New(`^1\.(0|[1-9]\d*)$`)
	buildTag  = pattern.New(`^[\pL\pN_.]+$`)
	amd64     = pattern.New(`^v[1-4]$`)
	fips      = pattern.New(`^(off|latest|inprocess|certified|v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*))$`)
	envName   = pattern.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
	tag       = pattern.New(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	goName    = pattern.New(`^[\pL_][\pL\pN_]*$`)
	importing = pattern.New(`^[A-Za-z0-9._~+/-]+$`)
)

func parseRelease(text string) (string, error) {
	bare := strings.TrimPrefix(text, "go")
	switch {
	case inexact().MatchString(bare):
		return "", fmt.Errorf("go %s is not an exact release; write its third number too, such as %s.0", bare, bare)
	case release().MatchString(bare) && bare != text:
		return "", fmt.Errorf("go %q; write %s", text, bare)
	case !release().MatchString(text):
		return "", fmt.Errorf("go %q is not a release of Go; write one, such as 1.26.8 or 1.27rc1", text)
	}
	return text, nil
}

func parseCreated(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("created %q is not a time; write one as RFC 3339 has it, such as 2027-03-01T00:00:00Z", text)
	case t.Unix() < 0:
		return time.Time{}, fmt.Errorf("created %q is before 1970, which archives cannot hold", text)
	}
	return t.UTC(), nil
}

func parseExpires(text string) (string, error) {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return "", fmt.Errorf("expires %q is not a day; write one, such as 2027-03-01", text)
	}
	return text, nil
}

func parseBuildTag(text string) (string, error) {
	if !buildTag().MatchString(text) {
		return "", fmt.Errorf("%q is not a build tag; write letters, digits, _ and . only, each tag as an item of its own", text)
	}
	return text, nil
}

func parseGOAMD64(text string) (string, error) {
	if !amd64().MatchString(text) {
		return "", fmt.Errorf("goamd64 %q; write v1, v2, v3 or v4", text)
	}
	return text, nil
}

func parseGOFIPS140(text string) (string, error) {
	if !fips().MatchString(text) {
		return "", fmt.Errorf("gofips140 %q; write off, latest, inprocess, certified or a version such as v1.0.0", text)
	}
	return text, nil
}

// parseReleaseTag takes a tag of the release, with {{.Tag}} still in it.
func parseReleaseTag(text string) (string, error) {
	expanded, err := Expand(text, "v1")
	if err != nil {
		return "", err
	}
	if !tag().MatchString(expanded) {
		return "", fmt.Errorf("tag %q does not fit a registry; write at most 128 letters, digits, _ . and -", text)
	}
	return text, nil
}

func checkEnvName(name string) error {
	if !envName().MatchString(name) {
		return fmt.Errorf("%q is not the name of a variable; write letters, digits and _, no digit first", name)
	}
	return nil
}

// checkLabelName holds a key against the rules of OCI annotations, which are
// those of labels:
// https://github.com/opencontainers/image-spec/blob/main/annotations.md#rules
func checkLabelName(name string) error {
	if name == "" {
		return errors.New("a label needs a name, such as org.opencontainers.image.source")
	}
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return fmt.Errorf("label %q has a space in its name", name)
	}
	return nil
}

// checkStampName takes what the linker's -X takes before "=".
func checkStampName(name string) error {
	dot := strings.LastIndex(name, ".")
	if dot < 1 || !importing().MatchString(name[:dot]) || !goName().MatchString(name[dot+1:]) {
		return fmt.Errorf("%q is not a variable of a package; write importpath.name, such as main.version", name)
	}
	return nil
}

// parseStamp takes the value of a stamp, with {{.Tag}} still in it.
func parseStamp(text string) (string, error) {
	if strings.Contains(text, `"`) && strings.Contains(text, `'`) {
		return "", fmt.Errorf(`%q holds both " and ', which the flags of the linker cannot`, text)
	}
	_, err := Expand(text, "v1")
	return text, err
}
