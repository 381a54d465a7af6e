package service

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"temper/pipeline/strict"
)

func TestParseRefusesLargeFiles(t *testing.T) {
	root := repository(t)
	write(t, filepath.Join(root, "go.mod"), "module example.com/shop\n")
	write(t, filepath.Join(root, "main.go"), "package main\n\nfunc main() {}\n")
	config := "services: [{name: orders}]\n#"
	fill := func(size int) string { return config + strings.Repeat("x", size-len(config)) }
	write(t, filepath.Join(root, ConfigName), fill(strict.MaxSize))
	if _, err := Load(t.Context(), root); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	write(t, filepath.Join(root, ConfigName), fill(strict.MaxSize+1))
	_, err := Load(t.Context(), root)
	if want := "temper.yaml:1:1: the file is over 1 MiB"; err == nil || err.Error() != want {
		t.Errorf("more than 1 MiB: %v, want %s", err, want)
	}
}

// What an alias stands for may be long, and the alias is short.
func TestParseEndsSoon(t *testing.T) {
	long := strings.Repeat("x, ", 10_000)
	for name, config := range map[string]string{
		"aliases of a long list": "go: &a [" + long + "]\nservices: [" + strings.Repeat("*a, ", 10_000) + "]\n",
		"many services":          "services: [" + strings.Repeat("{name: a}, ", 20_000) + "]\n",
		"many mistakes":          "services: [" + strings.Repeat("a, ", 90_000) + "]\n",
		"deep":                   strings.Repeat("[", strict.MaxSize),
		"deep blocks":            strings.Repeat("- ", strict.MaxSize/2),
		"many keys":              strings.Repeat("? ", strict.MaxSize/2),
		"many comments":          strings.Repeat("# \n", strict.MaxSize/3),
		"a long key":             strings.Repeat("services", strict.MaxSize/8) + ": 1",
	} {
		start := time.Now()
		repo := &Repository{Dir: t.TempDir()}
		err := repo.decode([]byte(config))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if err == nil && name != "many comments" {
			t.Errorf("%s: no error", name)
		}
	}
}

var place = regexp.MustCompile(`^temper\.yaml:[1-9]\d*:[1-9]\d*: .`)

// FuzzParse holds any configuration against what Load promises.
func FuzzParse(f *testing.F) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range cases {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, entry := range archive.Files {
			if entry.Name == ConfigName {
				f.Add(entry.Data)
			}
		}
	}
	temp, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	root := filepath.Join(temp, "repo")
	for name, data := range map[string]string{
		"go.mod": "module example.com/shop\n", "main.go": "package main\n",
		"src/orders/main.go": "package main\n", "assets/a": "", "base/oci-layout": "",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		repo := &Repository{Dir: root, Base: BuiltinBase, Platforms: defaultPlatforms()}
		if err := repo.decode(data); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !place.MatchString(line) {
					t.Errorf("a mistake without a place: %q", line)
				}
			}
			return
		}
		if repo.Base == "" || len(repo.Platforms) == 0 {
			t.Errorf("base %q and platforms %v are not complete", repo.Base, repo.Platforms)
		}
		names := map[string]bool{}
		for _, s := range repo.Services {
			if !component().MatchString(s.Name) || names[s.Name] {
				t.Errorf("name %q", s.Name)
			}
			names[s.Name] = true
			if s.Root != root || s.Module != root || !within(root, s.Dir) || !within(root, filepath.Join(s.Dir, s.Package)) {
				t.Errorf("places of %+v", s)
			}
			if _, err := parseBinaryPath(s.Path); err != nil {
				t.Errorf("path: %v", err)
			}
			if uid, gid, err := s.UserGroup(); err != nil || uid <= 0 || gid <= 0 {
				t.Errorf("user %q: %d, %d, %v", s.User, uid, gid, err)
			}
			for _, file := range s.Files {
				if !within(root, file.From) || !filepath.IsAbs(file.To) {
					t.Errorf("files %+v", file)
				}
			}
			for _, port := range s.Ports {
				if port < 1 || port > 65535 {
					t.Errorf("port %d", port)
				}
			}
		}
		for _, w := range repo.Waivers {
			if w.Rule == "" || w.Subject == "" || w.Reason == "" || w.Expires == "" {
				t.Errorf("waiver %+v", w)
			}
		}
	})
}
