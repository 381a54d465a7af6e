package executables

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"maps"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func measure(t *testing.T, raw []byte) *Sizes {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Measure(bytes.NewReader(raw), int64(len(raw)), info)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// code is that of each module.
func (s *Sizes) code() map[string]int64 {
	all := make(map[string]int64)
	for _, m := range s.Modules {
		all[m.Path] += m.Bytes
	}
	return all
}

func (s *Sizes) part(name string) int64 {
	for _, p := range s.Parts {
		if p.Name == name {
			return p.Bytes
		}
	}
	return 0
}

// bySymbols is what the symbol table says of each package's code: a function
// reaches to where the next begins.
func bySymbols(t *testing.T, raw []byte) map[string]int64 {
	t.Helper()
	e, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := e.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	symbols = slices.DeleteFunc(symbols, func(s elf.Symbol) bool { return elf.ST_TYPE(s.Info) != elf.STT_FUNC || s.Size == 0 })
	slices.SortFunc(symbols, func(a, b elf.Symbol) int { return cmp.Compare(a.Value, b.Value) })
	packages := make(map[string]int64)
	for i, s := range symbols {
		n := s.Size
		if i+1 < len(symbols) {
			n = symbols[i+1].Value - s.Value
		}
		packages[packageOf(s.Name)] += int64(n)
	}
	return packages
}

// The symbol table of a program says of its stripped twin what the function
// table has to.
func TestMeasureAgreesWithSymbols(t *testing.T) {
	dir := write(t)
	for _, test := range []struct{ name, flags string }{
		{"amd64", "./debugged"},
		{"arm64", "GOARCH=arm64;./debugged"},
		{"32 bits", "GOARCH=386;./debugged"},
		{"big endian", "GOARCH=s390x;./debugged"},
		{"a server", "./profiled"},
		{"position-independent", "-buildmode=pie;./profiled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			whole := compile(t, dir, "-trimpath;"+test.flags)
			s := measure(t, compile(t, dir, "-trimpath;-ldflags=-s -w;"+test.flags))
			got, sum := make(map[string]int64), int64(0)
			for _, m := range s.Modules {
				for _, p := range m.Packages {
					got[p.Path] += p.Bytes
					sum += p.Bytes
				}
			}
			want := make(map[string]int64)
			for pkg, n := range bySymbols(t, whole) {
				if pkg == "main" {
					pkg = "example.com/program/" + path.Base(test.flags)
				}
				want[pkg] = n
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("code of the packages (-symbols +function table):\n%s", diff)
			}
			for _, p := range s.Parts {
				sum += p.Bytes
			}
			if sum != s.File {
				t.Errorf("all there is has %d bytes, the file %d", sum, s.File)
			}
			if s.part(FunctionsPart) == 0 || s.part(ReadOnlyPart) == 0 || s.part(SymbolsPart) > 4096 {
				t.Errorf("parts: %v", s.Parts)
			}
			if unstripped := measure(t, whole); unstripped.part(SymbolsPart) < s.File/10 {
				t.Errorf("symbols and debugging data of the whole program: %v", unstripped.Parts)
			}
		})
	}
}

func TestPackageOf(t *testing.T) {
	got := make(map[string]string)
	want := map[string]string{
		"runtime.mallocgc":                             "runtime",
		"net/http.(*Server).Serve":                     "net/http",
		"main.main.func1":                              "main",
		"slices.SortFunc[...]":                         "slices",
		"slices.SortFunc[go.shape.struct { a/b.C }]":   "slices",
		"gopkg.in/yaml%2ev3.(*decoder).unmarshal":      "gopkg.in/yaml.v3",
		"github.com/a/b.(*T[github.com/c/d.U]).String": "github.com/a/b",
		"type:.eq.github.com/a/b.T":                    "github.com/a/b",
		"type:.eq.struct { F uintptr }":                "",
		"type:.eq.[2]string":                           "",
		"type:.eq.go.shape.struct { a/b.C }":           "",
		"go:struct { io.Reader }.Read":                 "",
		"go:(*struct { a/b.C }).Read":                  "",
		"vendor/golang.org/x/net/idna.init":            "vendor/golang.org/x/net/idna",
		"example.com/100%.f":                           "example.com/100%",
		"_rt0_amd64_linux":                             "",
		"":                                             "",
	}
	for function := range want {
		got[function] = packageOf(function)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestModulesOwnPackages(t *testing.T) {
	info := &debug.BuildInfo{Path: "example.com/a/cmd/x", Main: debug.Module{Path: "example.com/a"}, Deps: []*debug.Module{
		{Path: "example.com/a/b", Version: "v1.0.0"}, {Path: "plain", Version: "v1.0.0"}, {Path: "example.com/unlinked", Version: "v1.0.0"},
	}}
	packages := map[string]int64{
		"main": 1, "example.com/a/b/c": 10, "example.com/a/bc": 100, "plain/sub": 1000, "net/http": 10000, "vendor/golang.org/x/text": 20000,
		"example.org/x": 5, "": 7,
	}
	got := (&Sizes{Modules: modules(packages, info)}).code()
	want := map[string]int64{"example.com/a": 101, "example.com/a/b": 10, "plain": 1000, Std: 30000, "": 12}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	want = map[string]int64{Std: 31000, "": 123}
	if diff := gocmp.Diff(want, (&Sizes{Modules: modules(packages, nil)}).code()); diff != "" {
		t.Errorf("modules without build info (-want +got):\n%s", diff)
	}
}

// A function table can say anything: what does not fit is an error.
func TestMeasureRefuses(t *testing.T) {
	raw := compile(t, write(t), "-trimpath;-ldflags=-s -w;.")
	e, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	at := int(e.Section(".gopclntab").Offset)
	word := func(i int) int { return int(binary.LittleEndian.Uint64(raw[at+8+8*i:])) }
	rodata := slices.Index(e.Sections, e.Section(".rodata"))
	names, list := at+word(3), at+word(7)
	put := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	for name, test := range map[string]struct {
		change func([]byte)
		want   string
	}{
		"another magic":                  {put(at, 1), "it begins with 0x1"},
		"words of three bytes":           {func(b []byte) { b[at+7] = 3 }, "words have 3 bytes"},
		"more functions than fit":        {put(at+8, 1<<30), "breaks off"},
		"so many that a product wraps":   {func(b []byte) { binary.LittleEndian.PutUint64(b[at+8:], 1<<61) }, "breaks off"},
		"names beyond the table":         {put(at+8+24, 1<<30), "breaks off"},
		"a list at the table's end":      {put(at+8+56, uint32(e.Section(".gopclntab").Size)), "breaks off"},
		"a function that ends first":     {put(list, 1<<31), "ends before it begins"},
		"functions larger than the code": {put(list+8*word(0), 1<<31), "and the code"},
		"a function described elsewhere": {put(list+4, 1<<31), "breaks off"},
		"names that overlap":             {func(b []byte) { overlap(b[list:], b[names:list], word(0)) }, "names overlap"},
		"a section larger than the file": {func(b []byte) { enlarge(b, rodata, 1<<40) }, "more bytes than the file"},
		"no ELF file":                    {func(b []byte) { b[0] = 'X' }, "ELF headers"},
		"a function whose name is nowhere": {func(b []byte) {
			put(list+int(binary.LittleEndian.Uint32(b[list+4:]))+4, 1<<31)(b)
		}, "breaks off"},
	} {
		b := slices.Clone(raw)
		test.change(b)
		if s, err := Measure(bytes.NewReader(b), int64(len(b)), nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, error %v, want one with %q", name, s, err, test.want)
		}
	}
}

// overlap gives every function a name that reaches to the end of all names.
func overlap(list, names []byte, count int) {
	for i := range names {
		if names[i] == 0 {
			names[i] = 'x'
		}
	}
	for i := range count {
		more := binary.LittleEndian.Uint32(list[8*i+4:])
		binary.LittleEndian.PutUint32(list[more+4:], uint32(i))
	}
}

// enlarge gives the section of an index another size.
func enlarge(b []byte, section int, size uint64) {
	headers := binary.LittleEndian.Uint64(b[40:])
	binary.LittleEndian.PutUint64(b[headers+uint64(section)*64+32:], size)
}

// What is no Go program has parts all the same.
func TestMeasureWithoutFunctions(t *testing.T) {
	raw := compile(t, write(t), "-trimpath;-ldflags=-s -w;.")
	renamed := bytes.Replace(raw, []byte("\x00.gopclntab\x00"), []byte("\x00.gopclntaX\x00"), 1)
	s, err := Measure(bytes.NewReader(renamed), int64(len(raw)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Modules) != 0 || s.part(ForeignPart) == 0 {
		t.Errorf("modules %v, parts %v", s.Modules, s.Parts)
	}
}

// small is a function table of one function, main.main of 16 bytes.
func small() []byte {
	const header = 8 + 8*8
	b := binary.LittleEndian.AppendUint32(nil, 0xfffffff1)
	b = append(b, 0, 0, 1, 8)
	for _, word := range []uint64{1, 0, 0, header, 0, 0, 0, header + 12} {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	b = append(b, "main.main\x00\x00\x00"...)
	for _, word := range []uint32{0, 12, 16, 0, 0} { // begin, more, end; and more: begin, name
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b
}

func FuzzFunctions(f *testing.F) {
	f.Add(small(), false)
	f.Add([]byte("\xff\xff\xff\xf0\x00\x00\x02\x04"), true)
	f.Fuzz(func(t *testing.T, raw []byte, big bool) {
		var order binary.ByteOrder = binary.LittleEndian
		if big {
			order = binary.BigEndian
		}
		packages, err := functions(raw, order)
		for pkg, n := range packages {
			if err != nil || n < 0 || len(pkg) > maxName {
				t.Errorf("%.100q has %d bytes, error %v", pkg, n, err)
			}
		}
	})
}

func TestSmallestTable(t *testing.T) {
	got, err := functions(small(), binary.LittleEndian)
	if err != nil || !maps.Equal(got, map[string]int64{"main": 16}) {
		t.Errorf("packages %v, error %v", got, err)
	}
}
