package service

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// What a command line says stands over temper.yaml, but build tags are added.
func TestOverride(t *testing.T) {
	arm := v1.Platform{OS: "linux", Architecture: "arm64"}
	for _, tc := range []struct {
		name  string
		over  Override
		want  Repository
		wrong string
	}{
		{"nothing", Override{}, Repository{Go: "1.26.7", GoFrom: ConfigName, Platforms: defaultPlatforms(), Services: []*Service{{BuildTags: []string{"b"}}}}, ""},
		{
			"everything", Override{Go: "1.26.8", Platforms: []string{"linux/arm64"}, BuildTags: []string{"c", "a", "b", "a"}},
			Repository{Go: "1.26.8", GoFrom: "--go", Platforms: []v1.Platform{arm}, Services: []*Service{{BuildTags: []string{"a", "b", "c"}}}}, "",
		},
		{name: "a release that is none", over: Override{Go: "new"}, wrong: `--go: go "new" is not a release of Go; write one, such as 1.26.8 or 1.27rc1`},
		{name: "two tags in one", over: Override{BuildTags: []string{"a b"}}, wrong: `--build-tag: "a b" is not a build tag; write letters, digits, _ and . only, each tag as an item of its own`},
	} {
		got := Repository{Go: "1.26.7", GoFrom: ConfigName, Platforms: defaultPlatforms(), Services: []*Service{{BuildTags: []string{"b"}}}}
		err := got.Override(tc.over)
		switch {
		case tc.wrong != "" && (err == nil || err.Error() != tc.wrong):
			t.Errorf("%s: %v, want %s", tc.name, err, tc.wrong)
		case tc.wrong == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.wrong == "":
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(Repository{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.name, diff)
			}
		}
	}
}
