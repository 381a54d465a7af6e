package executables

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
	"testing"
)

// A symbol table says of a program's stripped twin where its functions are.
func TestFunctionsAgreeWithSymbols(t *testing.T) {
	dir := write(t)
	for _, test := range []struct{ name, flags string }{
		{"amd64", "./debugged"},
		{"arm64", "GOARCH=arm64;./debugged"},
		{"32 bits", "GOARCH=386;./debugged"},
		{"big endian", "GOARCH=s390x;./debugged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := elf.NewFile(bytes.NewReader(compile(t, dir, "-trimpath;"+test.flags)))
			if err != nil {
				t.Fatal(err)
			}
			symbols, err := e.Symbols()
			if err != nil {
				t.Fatal(err)
			}
			at := make(map[int64][]string)
			for _, s := range symbols {
				begin := int64(s.Value - e.Section(".text").Addr)
				at[begin] = append(at[begin], s.Name)
			}
			list, err := Functions(bytes.NewReader(compile(t, dir, "-trimpath;-ldflags=-s -w;"+test.flags)))
			if err != nil {
				t.Fatal(err)
			}
			agreed, begin, missed := 0, int64(0), Function{}
			for _, f := range list {
				// Symbols have their type arguments and calling convention as well.
				plain := f.Name[:strings.IndexAny(f.Name+"[", "[·")]
				if slices.ContainsFunc(at[f.Begin], func(symbol string) bool { return strings.HasPrefix(symbol, plain) }) {
					agreed++
				} else {
					missed = f
				}
				if f.Begin < begin {
					t.Errorf("%s begins at %d, before the one that it follows", f.Name, f.Begin)
				}
				begin = f.Begin
			}
			if len(list) < 1000 || agreed < len(list) {
				t.Errorf("of %d functions %d are where the symbols say, and not %+v", len(list), agreed, missed)
			}
		})
	}
}

func TestFunctionsOfNothing(t *testing.T) {
	list, err := Functions(bytes.NewReader(smallest(map[string][]byte{".text": {1}})))
	if err != nil || list != nil {
		t.Errorf("an executable without a table: %v, %v", list, err)
	}
	if _, err := Functions(bytes.NewReader([]byte("no executable"))); err == nil {
		t.Error("there is no error for what is no executable")
	}
	if _, err := Functions(bytes.NewReader(smallest(map[string][]byte{".gopclntab": {1, 2, 3}}))); err == nil {
		t.Error("there is no error for a table that breaks off")
	}
}
