package lane

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"temper/pipeline/store"
)

// The test's own binary is the program that Go talks to.
func TestMain(m *testing.M) {
	if own := os.Getenv("LANE_OWN"); own != "" {
		if err := (Cache{own, os.Getenv("LANE_SHARED")}).Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// build compiles a program with a cache, and returns what it prints.
func build(t *testing.T, c Cache, src string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/a\n\ngo 1.26\n", "main.go": src} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", "out", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOCACHEPROG="+self, "GOCACHE="+t.TempDir(), "LANE_OWN="+c.Own, "LANE_SHARED="+c.Shared, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(filepath.Join(dir, "out")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// outputs are the files of a folder that hold what was compiled.
func outputs(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(filepath.Join(dir, "d"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const hello = `package main

import "errors"

func main() { print(errors.New("x").Error()) ; println(); out("hello") }
`

// Nothing that the shared layer has is compiled again, and nothing is written there.
func TestShared(t *testing.T) {
	src := strings.Replace(hello, `import "errors"`, "import (\n\t\"errors\"\n\t\"os\"\n)\n\nfunc out(s string) { os.Stdout.WriteString(s) }", 1)
	first, second := t.TempDir(), t.TempDir()
	if got := build(t, Cache{Own: first}, src); got != "hello" {
		t.Fatalf("the program says %q", got)
	}
	before := outputs(t, first)
	changed := strings.Replace(src, "hello", "goodbye", 1)
	if got := build(t, Cache{Own: second, Shared: first}, changed); got != "goodbye" {
		t.Fatalf("the program says %q", got)
	}
	own := outputs(t, second)
	if len(own) == 0 || len(own) > 4 || len(before) < 30 {
		t.Errorf("%d outputs in the own layer and %d in the shared one, want a few and many", len(own), len(before))
	}
	if after := outputs(t, first); len(after) != len(before) {
		t.Errorf("the shared layer had %d outputs and has %d", len(before), len(after))
	}

	t.Run("race", func(t *testing.T) {
		own := t.TempDir()
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				if got := build(t, Cache{Own: own, Shared: first}, changed); got != "goodbye" {
					t.Errorf("the program says %q", got)
				}
			})
		}
		wait.Wait()
		for _, path := range outputs(t, own) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != filepath.Base(path) {
				t.Errorf("%s is not what it is named for", path)
			}
		}
	})
	t.Run("altered", func(t *testing.T) {
		spoils := []func([]byte) []byte{
			func(b []byte) []byte { return b[:len(b)/2] },
			func([]byte) []byte { return nil },
			func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		}
		spoilt := 0
		for i, path := range outputs(t, first) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) == 0 {
				continue
			}
			if err := os.WriteFile(path, spoils[i%len(spoils)](b), 0o600); err != nil {
				t.Fatal(err)
			}
			spoilt++
		}
		third := t.TempDir()
		if got := build(t, Cache{Own: third, Shared: first}, changed); got != "goodbye" {
			t.Errorf("the program says %q", got)
		}
		if own := outputs(t, third); len(own) < spoilt {
			t.Errorf("only %d outputs were made again of %d", len(own), spoilt)
		}
	})
}

// A record that another action's was put in place of gives nothing.
func TestExchanged(t *testing.T) {
	l := layer(t.TempDir())
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	actions := [][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)}
	for i, a := range actions {
		body := []byte(fmt.Sprint("output ", i))
		sum := sha256.Sum256(body)
		if _, err := l.put(a, sum[:], int64(len(body)), bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		if e, err := l.get(a, l.notes()); err != nil || e.output != sum {
			t.Fatalf("the entry that was put is %v, %v", e, err)
		}
	}
	record, err := os.ReadFile(l.path("a", actions[1]))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.path("a", actions[0]), record, 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := l.get(actions[0], l.notes()); err == nil {
		t.Errorf("got %v under another name", e)
	}
}

// talk sends lines to a server, and returns what it answers.
func talk(t *testing.T, c Cache, said string) ([]response, error) {
	t.Helper()
	var out bytes.Buffer
	err := c.Serve(strings.NewReader(said), &out)
	var all []response
	for d := json.NewDecoder(&out); ; {
		var r response
		if err := d.Decode(&r); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all, err
}

func TestProtocol(t *testing.T) {
	body := []byte("an output")
	sum := sha256.Sum256(body)
	line := func(r request) string {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + "\n"
	}
	encoded := fmt.Sprintf("%q\n", base64.StdEncoding.EncodeToString(body))
	put := line(request{ID: 1, Command: "put", ActionID: sum[:], OutputID: sum[:], BodySize: int64(len(body))}) + encoded
	get := line(request{ID: 2, Command: "get", ActionID: sum[:]})
	end := line(request{ID: 3, Command: "close"})

	t.Run("put and get", func(t *testing.T) {
		own := t.TempDir()
		all, err := talk(t, Cache{Own: own}, put+"\n"+get+end)
		if err != nil || len(all) != 4 {
			t.Fatalf("answers %+v, %v", all, err)
		}
		if got, err := os.ReadFile(all[2].DiskPath); err != nil || string(got) != string(body) {
			t.Errorf("the file holds %q, %v", got, err)
		}
		if all[2].Size != int64(len(body)) || !bytes.Equal(all[2].OutputID, sum[:]) || all[2].Time == nil {
			t.Errorf("the entry is %+v", all[2])
		}
	})
	t.Run("an output of another name", func(t *testing.T) {
		other := sha256.Sum256([]byte("another"))
		lie := line(request{ID: 1, Command: "put", ActionID: sum[:], OutputID: other[:], BodySize: int64(len(body))}) + encoded
		all, err := talk(t, Cache{Own: t.TempDir()}, lie+get+end)
		if err != nil || len(all) != 4 || all[1].Err == "" || !all[2].Miss {
			t.Errorf("answers %+v, %v", all, err)
		}
	})
	t.Run("an empty output", func(t *testing.T) {
		empty := sha256.Sum256(nil)
		all, err := talk(t, Cache{Own: t.TempDir()}, line(request{ID: 1, Command: "put", ActionID: sum[:], OutputID: empty[:]})+get+end)
		if err != nil || len(all) != 4 || all[1].Err != "" || all[2].Miss || all[2].Size != 0 {
			t.Errorf("answers %+v, %v", all, err)
		}
	})
	t.Run("a command of the future", func(t *testing.T) {
		all, err := talk(t, Cache{Own: t.TempDir()}, line(request{ID: 9, Command: "prefetch"})+end)
		if err != nil || len(all) != 3 || !strings.Contains(all[1].Err, "prefetch") {
			t.Errorf("answers %+v, %v", all, err)
		}
	})
	for name, said := range map[string]string{
		"no JSON":         "get me something\n",
		"half a body":     put[:len(put)-8],
		"no body":         line(request{ID: 1, Command: "put", ActionID: sum[:], OutputID: sum[:], BodySize: 9}) + end,
		"a longer body":   line(request{ID: 1, Command: "put", ActionID: sum[:], OutputID: sum[:], BodySize: 3}) + encoded,
		"no base64":       line(request{ID: 1, Command: "put", ActionID: sum[:], OutputID: sum[:], BodySize: 9}) + "\"!!!!!!!!!!!!\"\n",
		"half a request":  `{"ID": 1, "Comm`,
		"a body too soon": encoded,
	} {
		t.Run(name, func(t *testing.T) {
			own := t.TempDir()
			if _, err := talk(t, Cache{Own: own}, said); err == nil {
				t.Error("no error")
			}
			if got := outputs(t, own); len(got) != 0 {
				t.Errorf("it left %v", got)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		r, w := io.Pipe()
		r.Close()
		if err := (Cache{Own: t.TempDir()}).Serve(bufio.NewReader(strings.NewReader(get+end)), w); err == nil {
			t.Error("no error")
		}
	})
}

// A body is what package base64 says it is, wherever pieces of it end.
func TestDecoder(t *testing.T) {
	for _, size := range []int{1, 2, 3, 24575, 24576, 24577, 1 << 17} {
		want := bytes.Repeat([]byte("some output \x00 of the compiler"), size/24+1)[:size]
		encoded := base64.StdEncoding.EncodeToString(want)
		got, err := io.ReadAll(&decoder{in: iotest.OneByteReader(strings.NewReader(encoded))})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes came %d, %v", size, len(got), err)
		}
		for _, spoilt := range []string{encoded[:len(encoded)-1], "!" + encoded[1:]} {
			if _, err := io.ReadAll(&decoder{in: strings.NewReader(spoilt)}); err == nil {
				t.Errorf("%d bytes are cut short or spoilt, and that is no error", size)
			}
		}
	}
}

// What a service has found whole, and nobody has touched since, is not read for that again.
// No service goes by what another has found.
func TestUntouched(t *testing.T) {
	body := []byte("an output")
	sum := sha256.Sum256(body)
	shared := t.TempDir()
	if err := layer(shared).open(); err != nil {
		t.Fatal(err)
	}
	path, err := layer(shared).put(sum[:], sum[:], int64(len(body)), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	stat := func() os.FileInfo {
		t.Helper()
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if store.Stamp(stat()) == "" {
		t.Skip("this system does not tell whether somebody has touched a file")
	}
	get, err := json.Marshal(request{ID: 1, Command: "get", ActionID: sum[:]})
	if err != nil {
		t.Fatal(err)
	}
	first, second := Cache{t.TempDir(), shared}, Cache{t.TempDir(), shared}
	finds := func(c Cache) bool {
		t.Helper()
		all, err := talk(t, c, string(get)+"\n")
		if err != nil || len(all) != 2 {
			t.Fatalf("answers %+v, %v", all, err)
		}
		return !all[1].Miss
	}
	noted := func(c Cache) string {
		text, _ := os.ReadFile(filepath.Join(c.Own, notesName))
		return string(text)
	}
	time.Sleep(2 * store.Grace)
	for range 2 {
		if !finds(first) {
			t.Fatal("a whole output is not found")
		}
		if got, want := noted(first), store.Stamp(stat())+" "+path+"\n"; got != want {
			t.Errorf("noted is %q, want %q", got, want)
		}
	}

	was := stat()
	if err := os.WriteFile(path, []byte("ANOTHER 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	if finds(first) {
		t.Error("an output that was altered, with its time put back, is given out")
	}
	lie := store.Stamp(stat()) + " " + path + "\n"
	for _, liar := range []string{first.Own, shared} {
		if err := os.WriteFile(filepath.Join(liar, notesName), []byte(lie), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !finds(first) {
		t.Error("what is noted is read again")
	}
	if finds(second) {
		t.Error("one service goes by the notes of another, or of the shared layer")
	}
}
