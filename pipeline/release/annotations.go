package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// want keeps the signings that carry the annotations, and says of the others what
// they lack.
func (c *claims) want(annotations map[string]string) {
	var like []signing
	for _, s := range c.signings {
		if err := s.lacks(annotations); err != nil {
			c.unlike = append(c.unlike, err)
			continue
		}
		like = append(like, s)
	}
	c.signings = like
	// A registry lists them in any order, and the answer is the same every time.
	slices.SortFunc(c.unlike, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}

// lacks says which of the annotations a signature does not carry. A number or a
// truth value is no text, however it is written.
func (s signing) lacks(annotations map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		switch said, ok := s.annotations[key]; {
		case !ok:
			return fmt.Errorf("one does not say %s=%s", key, annotations[key])
		case said != annotations[key]:
			return fmt.Errorf("one says %s=%v and not %s=%s", key, said, key, annotations[key])
		}
	}
	return nil
}
