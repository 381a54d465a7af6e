package executables

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzRead takes any bytes for an executable. Whatever they say, there are facts
// or an error, and the rules have an answer about the facts.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Add(smallest(nil))
	f.Add(smallest(map[string][]byte{".go.buildinfo": buildInfoOf("go1.26.8", "path\texample.com/x\nmod\texample.com/x\t(devel)\nbuild\tCGO_ENABLED=0\n")}))
	f.Add(smallest(map[string][]byte{".gopclntab": []byte("\x00net/http/pprof.Index\x00"), ".debug_info": []byte("x")}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		facts, err := Read(bytes.NewReader(raw))
		if (facts == nil) == (err == nil) {
			t.Fatalf("Read = %v, %v", facts, err)
		}
		if facts != nil && facts.Go == nil && len(broken(t, facts)) == 0 {
			t.Errorf("what carries no build info passes: %+v", facts)
		}
	})
}

// The seeds are executables: they have what they were made of.
func TestSmallest(t *testing.T) {
	facts, err := Read(bytes.NewReader(smallest(map[string][]byte{
		".go.buildinfo": buildInfoOf("go1.26.8", "path\texample.com/x\nmod\texample.com/x\t(devel)\n"),
		".gopclntab":    []byte("\x00expvar.Handler\x00"),
	})))
	if err != nil {
		t.Fatal(err)
	}
	if facts.Arch != "amd64" || facts.Go == nil || facts.Go.Path != "example.com/x" || len(facts.Packages) != 1 {
		t.Errorf("facts = %+v", facts)
	}
}

// A name is found wherever it lies, also across windows, and a table that breaks
// off is an error.
func TestContains(t *testing.T) {
	list := []string{"\x00net/http/pprof.", "\x00expvar."}
	for _, at := range []int{0, 1, 64<<10 - 3, 64 << 10, 64<<10 + len(list[0]), 200 << 10} {
		text := bytes.Repeat([]byte("x"), 300<<10)
		copy(text[at:], list[0])
		seen, err := contains(iotest.OneByteReader(bytes.NewReader(text)), list)
		if err != nil || !seen[0] || seen[1] {
			t.Errorf("at %d: %v, %v", at, seen, err)
		}
	}
	if seen, err := contains(iotest.ErrReader(io.ErrClosedPipe), list); err == nil {
		t.Errorf("what cannot be read holds %v", seen)
	}
}

// smallest makes an ELF file of one segment that holds the sections.
func smallest(sections map[string][]byte) []byte {
	const base, headers = 0x400000, 64 + 56
	var body bytes.Buffer
	names := []byte("\x00")
	table := []elf.Section64{{}}
	for _, name := range []string{".go.buildinfo", ".gopclntab", ".debug_info"} {
		content, ok := sections[name]
		if !ok {
			continue
		}
		for (headers+body.Len())%16 != 0 { // where build info may begin
			body.WriteByte(0)
		}
		at := uint64(headers + body.Len())
		table = append(table, elf.Section64{Name: uint32(len(names)), Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC | elf.SHF_WRITE), Addr: base + at, Off: at, Size: uint64(len(content))})
		names = append(names, name+"\x00"...)
		body.Write(content)
	}
	table = append(table, elf.Section64{Name: uint32(len(names)), Type: uint32(elf.SHT_STRTAB), Off: uint64(headers + body.Len())})
	names = append(names, ".shstrtab\x00"...)
	table[len(table)-1].Size = uint64(len(names))
	body.Write(names)
	var out bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
			Shoff: uint64(headers + body.Len()), Shentsize: 64, Shnum: uint16(len(table)), Shstrndx: uint16(len(table) - 1),
		},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Vaddr: base, Filesz: uint64(headers + body.Len()), Memsz: uint64(headers + body.Len()), Align: 4096},
		body.Bytes(),
		table,
	} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			panic(err) // all of it has a size, and a buffer takes all
		}
	}
	return out.Bytes()
}

// buildInfoOf lays out build info as Go has done since 1.18: two strings behind
// their lengths, the second in a frame of 16 bytes on each side.
// https://pkg.go.dev/debug/buildinfo
func buildInfoOf(version, modules string) []byte {
	const start, end = "\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6", "\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2"
	out := append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 16)...)
	for _, s := range []string{version, start + modules + end} {
		out = append(binary.AppendUvarint(out, uint64(len(s))), s...)
	}
	return out
}
