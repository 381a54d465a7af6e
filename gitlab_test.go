package temper_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A gitlabJob has the keywords of GitLab CI that the example uses.
// https://docs.gitlab.com/ci/yaml/
type gitlabJob struct {
	Image        string              `yaml:"image"`
	Services     []string            `yaml:"services"`
	Timeout      string              `yaml:"timeout"`
	Variables    map[string]string   `yaml:"variables"`
	Extends      string              `yaml:"extends"`
	Stage        string              `yaml:"stage"`
	Environment  string              `yaml:"environment"`
	Rules        []map[string]string `yaml:"rules"`
	BeforeScript []string            `yaml:"before_script"`
	Script       []string            `yaml:"script"`
	Cache        struct {
		Key   string   `yaml:"key"`
		Paths []string `yaml:"paths"`
	} `yaml:"cache"`
	Artifacts struct {
		When     string   `yaml:"when"`
		ExpireIn string   `yaml:"expire_in"`
		Paths    []string `yaml:"paths"`
	} `yaml:"artifacts"`
}

func readGitLab(text string) (stages []string, jobs map[string]gitlabJob, err error) {
	var file struct {
		Stages    []string             `yaml:"stages"`
		Variables map[string]string    `yaml:"variables"`
		Jobs      map[string]gitlabJob `yaml:",inline"`
	}
	d := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	d.KnownFields(true)
	err = d.Decode(&file)
	return file.Stages, file.Jobs, err
}

func TestGitLabExample(t *testing.T) {
	text := plainText(t, "examples/ci/gitlab.yaml")
	stages, jobs, err := readGitLab(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(jobs)) {
		job := jobs[name]
		if name[0] == '.' {
			continue
		}
		if !slices.Contains(stages, job.Stage) {
			t.Errorf("%s is of stage %q; there are %q", name, job.Stage, stages)
		}
		if _, known := jobs[job.Extends]; !known {
			t.Errorf("%s extends %q, which is no job", name, job.Extends)
		}
		if len(job.Script) == 0 || len(job.Rules) == 0 {
			t.Errorf("%s has no script, or runs always", name)
		}
	}
	for _, change := range [][2]string{{"before_script:", "before-script:"}, {"paths: [", "path: ["}, {"rules:", "rule:"}} {
		broken := bytes.ReplaceAll([]byte(text), []byte(change[0]), []byte(change[1]))
		if _, _, err := readGitLab(string(broken)); err == nil {
			t.Errorf("%q is taken for a keyword", change[1])
		}
	}
}
