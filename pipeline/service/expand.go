package service

import (
	"fmt"
	"strings"
)

const tagHole = "{{.Tag}}"

// Expand puts the release's tag where text says {{.Tag}}, the one thing that
// may stand in double braces. Text without it needs no tag.
func Expand(text, tag string) (string, error) {
	if rest := strings.ReplaceAll(text, tagHole, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		return "", fmt.Errorf("%q: only %s may stand in double braces, written just so", text, tagHole)
	}
	if !strings.Contains(text, tagHole) {
		return text, nil
	}
	if tag == "" {
		return "", fmt.Errorf("%q wants a tag, and none was given", text)
	}
	return strings.ReplaceAll(text, tagHole, tag), nil
}
