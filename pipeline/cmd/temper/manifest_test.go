package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"temper/checks"
	"temper/pipeline/admission"
)

// stripped FILE: prints it without the digests in it.
func stripped(ts *testscript.TestScript, _ bool, args []string) {
	fmt.Fprint(ts.Stdout(), regexp.MustCompile(`@sha256:[0-9a-f]{64}`).ReplaceAllString(ts.ReadFile(args[0]), ""))
}

// engines are where make admission puts them.
var engines = map[admission.Engine]string{
	admission.Kyverno:          filepath.Join("..", "..", "..", "bin", "kyverno"),
	admission.PolicyController: filepath.Join("..", "..", "..", "bin", "policy-tester"),
}

func enginesBuilt() bool {
	for _, path := range engines {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

// [!] admits POLICY REPOSITORY IMAGE: temper verify lets the image below the
// repository through by the policy, or refuses it, and so do the engines that were
// told of the policy.
func admits(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: [!] admits POLICY REPOSITORY IMAGE")
	}
	file, repository := ts.MkAbs(args[0]), args[1]
	ref, err := name.ParseReference(repository + "/" + args[2])
	ts.Check(err)
	desc, err := remote.Head(ref)
	ts.Check(err)
	image := ref.Context().Digest(desc.Digest.String()).String()
	var said bytes.Buffer
	want := exitDone
	if neg {
		want = exitNo
	}
	if code := run([]string{"verify", "--policy", file, image}, &person{out: &said, err: &said}); code != want {
		ts.Fatalf("temper verify --policy %s ended with exit code %d, want %d\n%s", args[0], code, want, &said)
	}
	for _, engine := range admission.Engines {
		var told bytes.Buffer
		if code := run([]string{"manifest", "--policy", string(engine), file, repository}, &person{out: &told, err: &said}); code != exitDone {
			ts.Fatalf("temper manifest --policy %s ended with exit code %d\n%s", engine, code, &said)
		}
		policy, pod := ts.MkAbs(string(engine)+".yaml"), ts.MkAbs("pod.yaml")
		ts.Check(os.WriteFile(policy, told.Bytes(), 0o644))
		ts.Check(os.WriteFile(pod, fmt.Appendf(nil, "apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec: {containers: [{name: one, image: %s}]}\n", image), 0o644))
		asked := exec.Command(engines[engine], "apply", policy, "--resource", pod, "--registry")
		if engine == admission.PolicyController {
			asked = exec.Command(engines[engine], "-policy", policy, "-image", image, "-log-level", "error")
		}
		answer, err := asked.CombinedOutput()
		if (err != nil) != neg {
			ts.Fatalf("%s by %s: %v\n%s\n%s", engine, args[0], err, answer, told.Bytes())
		}
		if bytes.Contains(answer, []byte("Policies Skipped")) { // for it is not valid
			ts.Fatalf("%s by %s: %v\n%s\n%s", engine, args[0], err, answer, told.Bytes())
		}
		ts.Logf("%s by %s: %v\n%s", engine, args[0], err, answer)
	}
}

// valid POLICY: the engines take what they are told of the policy, before they look
// at any image: identities are held against what only a network has.
func valid(ts *testscript.TestScript, _ bool, args []string) {
	for _, engine := range admission.Engines {
		var told, said bytes.Buffer
		if code := run([]string{"manifest", "--policy", string(engine), ts.MkAbs(args[0]), "ghcr.io/acme/shop"}, &person{out: &told, err: &said}); code != exitDone {
			ts.Fatalf("temper manifest --policy %s ended with exit code %d\n%s", engine, code, &said)
		}
		policy, pod := ts.MkAbs(string(engine)+".yaml"), ts.MkAbs("pod.yaml")
		ts.Check(os.WriteFile(policy, told.Bytes(), 0o644))
		ts.Check(os.WriteFile(pod, []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec: {containers: [{name: one, image: 127.0.0.1/other}]}\n"), 0o644))
		asked, want := exec.Command(engines[engine], "apply", policy, "--resource", pod), "error: 0, "
		if engine == admission.PolicyController {
			asked, want = exec.Command(engines[engine], "-policy", policy, "-image", "127.0.0.1/other"), "Policy was successfully validated"
		}
		answer, _ := asked.CombinedOutput() // an image that no policy is about has an answer of its own
		if !bytes.Contains(answer, []byte(want)) || bytes.Contains(answer, []byte("Policies Skipped")) {
			ts.Fatalf("%s by %s:\n%s\n%s", engine, args[0], answer, told.Bytes())
		}
	}
}

// outlive KEY LAYOUT REPOSITORY TAG: is vouch with a waiver whose day is gone.
func outlive(ts *testscript.TestScript, _ bool, args []string) {
	vouchFor(ts, args, checks.Finding{Rule: "shell", Severity: checks.Error, Place: "layer 1", Message: "a shell", Waived: &checks.Waived{Reason: "for a while", Expires: "2020-01-01"}})
}

func TestParseCPU(t *testing.T) {
	for text, want := range map[string]int{
		"100m": 100, "1": 1000, "1.5": 1500, "0.25": 250, "0.001": 1, "1000": 1_000_000,
		"": 0, "m": 0, "0": 0, "0m": 0, "0.0001": 0, "1.5m": 0, "1e3": 0, "-1": 0, "+1": 0, "1 ": 0, "1.2.3": 0, "1001": 0, "100M": 0,
	} {
		if got, err := parseCPU(text); got != want || (err != nil) != (want == 0) {
			t.Errorf("parseCPU(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
}
