package license

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/licensecheck"

	"temper/checks/memory"
	"temper/pipeline/evidence"
)

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

const mit = `Copyright (c) 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

const isc = `Copyright (c) 2026 Somebody

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`

const own = "All rights reserved. Ask us before you read on, and again before you compile. "

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"cache/example.com/plain@v1.0.0/LICENSE":                mit,
		"cache/example.com/!loud@v1.0.0/licence.md":             mit,
		"cache/example.com/both@v1.0.0/LICENSE-MIT":             mit,
		"cache/example.com/both@v1.0.0/COPYING":                 isc,
		"cache/example.com/both@v1.0.0/README.md":               own,
		"cache/example.com/some@v1.0.0/LICENSE":                 mit,
		"cache/example.com/some@v1.0.0/LICENSE-LOGO":            own,
		"cache/example.com/own@v1.0.0/LICENSE":                  strings.Repeat(own, 20),
		"cache/example.com/mixed@v1.0.0/LICENSE":                isc + strings.Repeat(own, 20),
		"cache/example.com/none@v1.0.0/go.mod":                  "module example.com/none",
		"cache/example.com/folder@v1.0.0/license/license.go":    "package license",
		"cache/example.com/code@v1.0.0/license.go":              "package code // " + mit,
		"cache/example.com/fork@v1.0.1/LICENSE":                 isc,
		"cache/example.com/original@v1.0.0/LICENSE":             mit,
		"cache/example.com/shop@v0.0.0/LICENSE":                 isc,
		"repository/LICENSE":                                    mit,
		"repository/shop/vendor/example.com/plain/LICENSE":      isc,
		"repository/shop/vendor/example.com/original/LICENSE":   isc,
		"repository/shop/vendor/example.com/original/COPYRIGHT": own,
		"repository/lib/LICENSE":                                isc,
		"elsewhere/LICENSE":                                     isc,
		"go/LICENSE":                                            mit,
	})
	module := func(name string) *debug.Module {
		return &debug.Module{Path: "example.com/" + name, Version: "v1.0.0"}
	}
	replaced := func(name string, by debug.Module) *debug.Module {
		m := module(name)
		m.Replace = &by
		return m
	}
	image := evidence.Image{Executables: []evidence.Executable{{Go: &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "example.com/shop", Version: "(devel)"},
		Deps: []*debug.Module{
			module("plain"), module("Loud"), module("both"), module("some"), module("own"), module("mixed"), module("none"),
			module("folder"), module("code"), module("absent"),
			replaced("original", debug.Module{Path: "example.com/fork", Version: "v1.0.1"}),
			replaced("lib", debug.Module{Path: "../lib", Version: "(devel)"}),
			replaced("far", debug.Module{Path: filepath.Join(dir, "elsewhere"), Version: "(devel)"}),
			{Path: "../escape", Version: "v1.0.0"}, {Path: "example.com/odd", Version: "../../v1"},
		},
	}}}}
	folders := Folders{
		ModCache: filepath.Join(dir, "cache"), Module: filepath.Join(dir, "repository", "shop"),
		Repository: filepath.Join(dir, "repository"), Go: filepath.Join(dir, "go"),
	}
	want := map[string]string{
		"example.com/shop (devel)": "MIT", "stdlib 1.26.8": "MIT",
		"example.com/plain v1.0.0": "MIT", "example.com/Loud v1.0.0": "MIT", "example.com/both v1.0.0": "ISC AND MIT",
		"example.com/fork v1.0.1": "ISC", "example.com/lib": "ISC", "example.com/far": "ISC",
	}
	if diff := cmp.Diff(want, new(Finder).Find(folders, image)); diff != "" {
		t.Errorf("from the module cache (-want +got):\n%s", diff)
	}
	// What was compiled from the vendor folder is looked up there, whatever the
	// module cache holds, and a replaced module under the path it replaces.
	folders.Vendor = filepath.Join(folders.Module, "vendor")
	want = map[string]string{
		"example.com/shop (devel)": "MIT", "stdlib 1.26.8": "MIT",
		"example.com/plain v1.0.0": "ISC", "example.com/fork v1.0.1": "ISC",
	}
	if diff := cmp.Diff(want, new(Finder).Find(folders, image)); diff != "" {
		t.Errorf("from the vendor folder (-want +got):\n%s", diff)
	}
	// In a workspace, folders are relative to the go.work.
	folders.Vendor, folders.Work = "", filepath.Join(dir, "repository", "shop", "deeper")
	if got, ok := new(Finder).Find(folders, image)["example.com/lib"]; ok {
		t.Errorf("../lib of another folder is %s", got)
	}
}

// What services have in common is looked at once, and what only one of them has when its
// turn comes.
func TestFinderLooksOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"example.com/shared@v1.0.0/LICENSE": mit, "example.com/own@v1.0.0/LICENSE": isc})
	with := func(names ...string) evidence.Image {
		info := &debug.BuildInfo{Main: debug.Module{Path: "example.com/shop"}}
		for _, name := range names {
			info.Deps = append(info.Deps, &debug.Module{Path: "example.com/" + name, Version: "v1.0.0"})
		}
		return evidence.Image{Executables: []evidence.Executable{{Go: info}}}
	}
	var finder Finder
	want := map[string]string{"example.com/shared v1.0.0": "MIT"}
	if diff := cmp.Diff(want, finder.Find(Folders{ModCache: dir}, with("shared"))); diff != "" {
		t.Errorf("for the first (-want +got):\n%s", diff)
	}
	if err := os.RemoveAll(filepath.Join(dir, "example.com", "shared@v1.0.0")); err != nil {
		t.Fatal(err)
	}
	want["example.com/own v1.0.0"] = "ISC"
	if diff := cmp.Diff(want, finder.Find(Folders{ModCache: dir}, with("shared", "own"))); diff != "" {
		t.Errorf("for the second (-want +got):\n%s", diff)
	}
}

// For modules of the real world the few patterns that are tried first say what
// all of them say. The modules are those that Temper itself is made of.
func TestUsualLicensesAreAllLicenses(t *testing.T) {
	list, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Dir}}{{end}}", "temper/pipeline/cmd/temper").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	folders := strings.Fields(string(list))
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		files, err := filepath.Glob(filepath.Join(folder, "LICENSE*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			if diff := cmp.Diff(identifiers(licensecheck.Scan(text)), new(Finder).recognised(text)); diff != "" {
				t.Errorf("%s (-all +usual):\n%s", file, diff)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d licences were seen", seen)
	}
}

func TestScan(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"MIT":           {mit, []string{"MIT"}},
		"two":           {mit + isc, []string{"ISC", "MIT"}},
		"a link alone":  {"https://opensource.org/licenses/MIT", nil},
		"empty":         {"", nil},
		"not even text": {string(bytes.Repeat([]byte{0xff, 0}, 1000)), nil},
	} {
		if diff := cmp.Diff(test.want, scan([]byte(test.text))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The Commons Clause takes back what the licence beside it gives, and has no
// identifier: one without the other would be a lie.
func TestUnnameableIsNotNamed(t *testing.T) {
	both := licensecheck.Coverage{Percent: 100, Match: []licensecheck.Match{{ID: "MIT"}, {ID: "CommonsClause"}}}
	if got := identifiers(both); got != nil {
		t.Errorf("it is %v", got)
	}
}

func TestExpression(t *testing.T) {
	for text, want := range map[string]string{
		"MIT":                                 "MIT",
		"mit":                                 "MIT",
		"GPL-2.0-or-later AND MIT":            "GPL-2.0-or-later AND MIT",
		"(MIT OR Apache-2.0) AND ISC":         "(MIT OR Apache-2.0) AND ISC",
		"( ( MIT ) )":                         "((MIT))",
		"GPL-3.0-only WITH GCC-exception-3.1": "GPL-3.0-only WITH GCC-exception-3.1",
		"GPL-2.0+":                            "GPL-2.0+",
		"MPL-1.1+":                            "MPL-1.1+",
		"":                                    "",
		"custom":                              "",
		"MIT Apache-2.0":                      "",
		"MIT AND":                             "",
		"AND MIT":                             "",
		"MIT AND OR ISC":                      "",
		"(MIT":                                "",
		"MIT)":                                "",
		"()":                                  "",
		"MIT (ISC)":                           "",
		"MIT WITH MIT":                        "",
		"GCC-exception-3.1":                   "",
		"(MIT) WITH GCC-exception-3.1":        "",
		"MIT WITH GCC-exception-3.1 WITH GCC-exception-3.1": "",
		"LicenseRef-ours":          "",
		"WITH":                     "",
		strings.Repeat("(", 1<<20): "",
	} {
		if got := Expression(text); got != want {
			t.Errorf("Expression(%.60q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzExpression(f *testing.F) {
	f.Add("(MIT OR Apache-2.0) AND GPL-3.0-only WITH GCC-exception-3.1")
	f.Add("GPL-2.0+ AND ((ISC))")
	f.Fuzz(func(t *testing.T, text string) {
		got := Expression(text)
		if again := Expression(got); again != got {
			t.Errorf("%q is %q, and that is %q", text, got, again)
		}
	})
}

// What was recognised in a text is kept by its content, and what is not as it was written is
// no answer.
func TestKnown(t *testing.T) {
	kept := t.TempDir()
	ids := func(text string) []string {
		t.Helper()
		folder, err := memory.OpenAs(kept, "this program")
		if err != nil {
			t.Fatal(err)
		}
		texts.Clear() // as in another process
		return (&Finder{Known: folder}).recognised([]byte(text))
	}
	for _, text := range []string{mit, isc, "All rights reserved, and nothing else is said about it.\n"} {
		want := new(Finder).recognised([]byte(text))
		for range 2 {
			if got := ids(text); !slices.Equal(got, want) {
				t.Errorf("%.30q is known as %q, want %q", text, got, want)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(kept, "*", "license-*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("kept are %v, %v, want three", files, err)
	}
	for _, file := range files {
		if err := os.WriteFile(file, []byte("Zlib"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(mit); !slices.Equal(got, []string{"MIT"}) {
		t.Errorf("altered it is %q, want MIT", got)
	}
}

// Five hundred modules, each with a licence file and a copyright of its own.
func BenchmarkFind500(b *testing.B) {
	dir := b.TempDir()
	var deps []*debug.Module
	for i := range 500 {
		text := mit
		if i%3 == 0 {
			text = isc
		}
		name := fmt.Sprintf("example.com/m%d", i)
		write(b, dir, map[string]string{name + "@v1.0.0/LICENSE": fmt.Sprintf("Copyright (c) %d Somebody Else\n\n%s", i, text)})
		deps = append(deps, &debug.Module{Path: name, Version: "v1.0.0"})
	}
	image := evidence.Image{Executables: []evidence.Executable{{Go: &debug.BuildInfo{Deps: deps}}}}
	new(Finder).recognised([]byte(mit)) // reads the patterns, once for a process
	for b.Loop() {
		b.StopTimer()
		texts.Clear()
		runtime.GC()
		b.StartTimer()
		if got := len(new(Finder).Find(Folders{ModCache: dir}, image)); got != 500 {
			b.Fatalf("%d of 500 have a licence", got)
		}
	}
}
