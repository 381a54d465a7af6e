package workloads

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"temper/checks"
)

// ofStandards are the rules that demand what the Pod Security Standards do.
var ofStandards = []*checks.Check[*Object]{podCapabilities, podHost, podKernel, podPrivileges, podSeccomp, podUser, podVolumes}

// Kubernetes' own cases: each of its pods is judged as its folder says, at that
// folder's level and version; and by the rules as the newest restricted level
// does it, with every finding at a place of its own.
func TestPodSecurityStandards(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "test", "testdata")
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	pods, refused := 0, 0
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		parts := strings.Split(filepath.ToSlash(rel), "/") // level, version, pass or fail, file
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var set Set
		if n, err := set.Read(rel, data); err != nil || n != 1 {
			t.Errorf("%s: %d objects, %v", rel, n, err)
			return nil
		}
		o := set.Objects[0]
		if len(o.pods) != 1 || len(o.faults) > 0 {
			t.Errorf("%s: %d pods, faults %v", rel, len(o.pods), o.faults)
			return nil
		}
		pods++
		version, err := api.ParseVersion(parts[1])
		if err != nil {
			return err
		}
		p := o.pods[0]
		allowed := func(level api.Level, v api.Version) bool {
			return policy.AggregateCheckResults(evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: v}, p.meta, p.spec)).Allowed
		}
		if got, want := allowed(api.Level(parts[0]), version), parts[2] == "pass"; got != want {
			t.Errorf("%s: allowed %v, want %v", rel, got, want)
		}
		want := allowed(api.LevelRestricted, api.LatestVersion())
		r, err := checks.Run(t.Context(), checks.Subject{Name: rel}, "", o, ofStandards)
		if err != nil {
			return err
		}
		// What the rules want beyond the standards.
		beyond := slices.ContainsFunc(r.Findings, func(f checks.Finding) bool {
			return strings.Contains(f.Message, "group 0") || strings.Contains(f.Message, "adds NET_BIND_SERVICE")
		})
		if got := len(r.Findings) == 0; got != want && !beyond {
			t.Errorf("%s: the newest restricted level allows it: %v; findings: %v", rel, want, r.Findings)
		}
		if !want {
			refused++
		}
		for _, f := range r.Findings {
			if f.Line == 0 || f.Column == 0 || f.Place == "spec" {
				t.Errorf("%s: nobody points at what is wrong: %s", rel, f.Message)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pods < 4000 || refused < 1000 {
		t.Errorf("%d pods, %d refused; want thousands", pods, refused)
	}
	t.Logf("%d pods, of which the newest restricted level refuses %d", pods, refused)
}

// Whatever the newest restricted level looks at, a rule does: where the standards
// grow, this tells.
func TestEveryStandardHasARule(t *testing.T) {
	asked := make(map[policy.CheckID]bool)
	for id, check := range standards() {
		standards()[id] = func(meta *metav1.ObjectMeta, spec *corev1.PodSpec) policy.CheckResult {
			asked[id] = true
			return check(meta, spec)
		}
		defer func() { standards()[id] = check }()
	}
	var set Set
	if _, err := set.Read("pod.yaml", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := checks.Run(t.Context(), checks.Subject{Name: "a"}, "", set.Objects[0], ofStandards); err != nil {
		t.Fatal(err)
	}
	overridden := make(map[policy.CheckID]bool)
	for _, c := range policy.DefaultChecks() {
		for _, id := range c.Versions[len(c.Versions)-1].OverrideCheckIDs {
			overridden[id] = true
		}
	}
	var want, got []string
	for id := range standards() {
		if !overridden[id] {
			want = append(want, string(id))
		}
		if asked[id] {
			got = append(got, string(id))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("standards that a rule asks for (-want +got):\n%s", diff)
	}
}
