package images

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks"
)

func TestEOLTable(t *testing.T) {
	for id, releases := range distributions() {
		for i, r := range releases {
			if i > 0 && !older(releases[i-1].version, r.version) {
				t.Errorf("%s %s does not come after %s", id, r.version, releases[i-1].version)
			}
			if !strings.HasPrefix(r.source, "https://") || r.end.Year() < 2010 || r.end.Year() > 2040 {
				t.Errorf("%s %s: %v (%s)", id, r.version, r.end, r.source)
			}
		}
	}
	if len(distributions()) < 15 {
		t.Errorf("the table has %d distributions", len(distributions()))
	}
}

// A release is supported to the end of its last day, wherever the machine is.
func TestEOLOnTheDay(t *testing.T) {
	defer func() { today = time.Now }()
	west := time.FixedZone("west", -8*60*60)
	img := &Image{Config: &v1.ConfigFile{}, Entries: []Entry{{Path: "etc/os-release", Type: '0', content: []byte("ID=alpine\nVERSION_ID=3.22.1\n")}}}
	img.tree = newTree(img.Entries)
	for _, tc := range []struct {
		now  time.Time
		want bool
	}{
		{time.Date(2027, 4, 30, 0, 0, 0, 0, time.UTC), false},
		{time.Date(2027, 5, 1, 23, 59, 59, 0, time.UTC), false},
		{time.Date(2027, 5, 2, 0, 0, 0, 0, time.UTC), true},
		{time.Date(2027, 5, 1, 15, 0, 0, 0, west), false},
		{time.Date(2027, 5, 1, 17, 0, 0, 0, west), true},
	} {
		today = func() time.Time { return tc.now }
		r, err := checks.Run(t.Context(), checks.Subject{Name: "case"}, "", img, []*checks.Check[*Image]{baseEOL})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(r.Findings) > 0; got != tc.want {
			t.Errorf("at %v: ended is %v, want %v", tc.now, got, tc.want)
		}
	}
}
