package service

import "testing"

func TestExpand(t *testing.T) {
	for _, c := range []struct{ text, tag, want, err string }{
		{text: "{{.Tag}}", tag: "v1.2.3", want: "v1.2.3"},
		{text: "a-{{.Tag}}-{{.Tag}}", tag: "v1", want: "a-v1-v1"},
		{text: "latest", want: "latest"},
		{text: "", tag: "v1", want: ""},
		{text: "{a}", tag: "v1", want: "{a}"},
		{text: "{{.Tag}}", tag: "{{.Tag}}", want: "{{.Tag}}"},
		{text: "{{.Tag}}", err: `"{{.Tag}}" wants a tag, and none was given`},
		{text: "{{.Version}}", tag: "v1", err: `"{{.Version}}": only {{.Tag}} may stand in double braces, written just so`},
		{text: "{{{.Tag}}}", tag: "v1", want: "{v1}"},
		{text: "{{ .Tag }}", tag: "v1", err: `"{{ .Tag }}": only {{.Tag}} may stand in double braces, written just so`},
	} {
		got, err := Expand(c.text, c.tag)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("Expand(%q, %q) = %q, %v; want %q, %s", c.text, c.tag, got, err, c.want, c.err)
		}
	}
}
