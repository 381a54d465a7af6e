package sources

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// What a service writes to, as far as its code says so without a doubt.
func TestCreationsOf(t *testing.T) {
	const before = `package main

import "os"

const dir = "/var/lib/orders"

func relay() (string, []byte, os.FileMode) { return "/relayed", nil, 0 }

func main() {
`
	file := func(path string) []Creation { return []Creation{{Path: path, File: "main.go", Line: 10}} }
	folder := func(path string) []Creation {
		return []Creation{{Path: path, Folder: true, File: "main.go", Line: 10}}
	}
	for name, tc := range map[string]struct {
		main string
		want []Creation
	}{
		"create":        {`os.Create("/data/a")`, file("/data/a")},
		"a constant":    {`os.WriteFile(dir+"/state", nil, 0o600)`, file("/var/lib/orders/state")},
		"not clean":     {`os.WriteFile("/data//x/../a", nil, 0o600)`, file("/data/a")},
		"a folder":      {`os.MkdirAll("/cache/", 0o700)`, folder("/cache")},
		"to append":     {`os.OpenFile("/log/a", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)`, file("/log/a")},
		"to change":     {`os.OpenFile("/log/a", os.O_RDWR, 0)`, file("/log/a")},
		"twice":         {`os.Create("/data/a"); os.Create("/data/a")`, file("/data/a")},
		"to read":       {`os.OpenFile("/etc/orders", os.O_RDONLY, 0); os.Open("/etc/a"); os.ReadFile("/etc/b")`, nil},
		"flags unknown": {`os.OpenFile("/log/a", len(os.Args), 0)`, nil},
		"relative":      {`os.Create("a"); os.MkdirAll("data/b", 0o700)`, nil},
		"a parameter":   {`os.Create(os.Args[1]); os.Create(os.Args[1] + "/a")`, nil},
		"handed over":   {`os.WriteFile(relay())`, nil},
		"the kernel's":  {`os.OpenFile("/dev/null", os.O_WRONLY, 0); os.WriteFile("/proc/self/oom_score_adj", nil, 0); os.Create("/sys/a")`, nil},
		"like it":       {`os.Create("/devices/a")`, file("/devices/a")},
		"another's":     {`type o struct{}; var _ o; f := func(string) {}; f("/data/a")`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := programOf(t, []txtar.File{
				{Name: "main.go", Data: []byte(before + "\t" + tc.main + "\n}\n")},
				{Name: "main_test.go", Data: []byte("package main\n\nimport \"os\"\n\nfunc init() { os.Create(\"/tested\") }\n")},
			})
			got, err := CreationsOf(t.Context(), nil, p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
