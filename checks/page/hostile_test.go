package page

import (
	"fmt"
	"html"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"temper/checks"
)

// What an image can call its files, its user, its modules.
var hostile = []string{
	`</script><script>alert(1)</script>`,
	`</style><style>*{display:none}</style>`,
	`</title></svg><img src=x onerror=alert(1)>`,
	`"><a href="javascript:alert(1)">x</a>`,
	`javascript:alert(1)`,
	`' onmouseover='alert(1)`,
	`{{.}}<!--`,
	"]]>&lt;b&gt;&#60;b&#62;",
	"line\nfeed\r\n\x00\x1b[2J\x7f",
	"\u202egnp.exe\u2066\u200b\ufeff\u2028",
	"\xff\xfe not UTF-8",
	strings.Repeat("very-long-", 40_000),
	`https://elsewhere.example/x.png`,
}

// fill puts texts into every string of a value.
func fill(v reflect.Value, next func() string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(next())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), next)
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fill(v.Elem(), next)
		}
	}
}

// sly is a shop that says such texts wherever it says something. Most of its
// binaries can be measured.
func sly(next func() string) *Page {
	p := shop()
	fill(reflect.ValueOf(&p.Services).Elem(), next)
	for i := range p.Services {
		p.Services[i].Report.Rules = append(p.Services[i].Report.Rules, "user", "static")
		if i != 1 {
			for _, img := range p.Services[i].Platforms {
				img.Binary.Unknown = ""
			}
		}
	}
	return p
}

var (
	tagOf       = regexp.MustCompile(`<[^>]*>`)
	nameOf      = regexp.MustCompile(`^<[!/]?([a-zA-Z0-9]+)`)
	attributeOf = regexp.MustCompile(`\s([^\s=>"]+)(?:="([^"]*)")?`)
	text        = regexp.MustCompile(`>([^<]+)<`)
)

// markupOf returns the tags of a page with the names of their attributes, each
// once, and the addresses in it.
func markupOf(t *testing.T, page string) (tags, addresses []string) {
	t.Helper()
	for _, own := range []string{style, script} {
		if n := strings.Count(page, own); n != 1 {
			t.Fatalf("the page has its style or script %d times", n)
		}
		page = strings.Replace(page, own, "", 1)
	}
	for _, tag := range tagOf.FindAllString(page, -1) {
		said := nameOf.FindString(tag)
		for _, a := range attributeOf.FindAllStringSubmatch(tag, -1) {
			said += " " + a[1]
			if a[1] == "href" || a[1] == "src" || strings.Contains(a[2], "url(") {
				addresses = append(addresses, html.UnescapeString(a[2]))
			}
		}
		tags = append(tags, said)
	}
	slices.Sort(tags)
	slices.Sort(addresses)
	return slices.Compact(tags), slices.Compact(addresses)
}

// A hostile name is a text, whatever it is and wherever it stands.
func TestHostileNames(t *testing.T) {
	harmless, _ := markupOf(t, write(t, shop()))
	for i, name := range append(hostile, "") {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			n := i
			p := sly(func() string {
				if name != "" {
					return name
				}
				n++ // all of them, side by side
				return hostile[n%len(hostile)]
			})
			out := write(t, p)
			tags, addresses := markupOf(t, out)
			for _, tag := range tags {
				if !slices.Contains(harmless, tag) && !strings.HasPrefix(tag, "<p class") {
					t.Errorf("the page has the tag %s, which it has with no harmless name", tag)
				}
			}
			for _, a := range addresses {
				if !strings.HasPrefix(a, "#") && !strings.HasPrefix(a, "https://example.com/") && !strings.HasPrefix(a, "data:image/svg+xml,") {
					t.Errorf("the page has the address %q", a)
				}
			}
			for _, r := range out {
				if r != '\n' && r != '\u202f' && !unicode.IsPrint(r) {
					t.Fatalf("the page holds the character %q", r)
				}
			}
			if len(out) > 600_000 {
				t.Errorf("the page has %d bytes", len(out))
			}
			var texts []string
			for _, m := range text.FindAllStringSubmatch(out, -1) {
				texts = append(texts, html.UnescapeString(m[1]))
			}
			if want := words(name); name != "" && !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, want) }) {
				t.Errorf("nothing on the page reads %.80q", want)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 日本 a\\b":      "plain é 日本 a\\b",
		"a\nb":                 `a\nb`,
		"a\u202eb \"c\"":       `a\u202eb "c"`,
		"\xff":                 `\xff`,
		"אבג":                  "אבג", // isolated by the page
		"a\u00a0b":             `a\u00a0b`,
		strings.Repeat("x", 9): "xxxxxxxxx",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := shorten("abcdefghij", 5), "ab…ij"; got != want {
		t.Errorf("shorten gives %q, want %q", got, want)
	}
}

// The page says what the report says, also what it does not know.
func TestWhatThePageSays(t *testing.T) {
	for _, test := range []struct {
		name string
		page *Page
		want []string
		not  []string
	}{
		{"a shop", shop(), []string{
			"1 of 3 does not pass", "1 error, 1 warning, 1 waived (3 rules)", "waived until 2027-03-01: the migration runs it",
			"the waiver expired on 2026-03-01: it was urgent", "did not look", "Fix</b> <bdi>name a numeric user", "main → expvar",
			"It passes by its baseline, which is no leave to release", "What was compiled differs from the commit", "5c1f0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e",
			"On the word of a statement that nobody has signed", "Nothing tells where the image came from", "hidden by a layer above",
			"10.7 MB in 406 files and 3 layers, uncompressed", "/srv/static/robots.txt", "and 205 other files", "replaced by ./fork", "go1.26.8 as temper.yaml says",
		}, []string{"All pass"}},
		{"one that passes", &Page{Rules: known, Services: []Service{{Report: report("web")}}}, []string{"Passes", "web keeps every rule", "Nothing tells where"}, []string{"does not pass", "What was found"}},
		{"advice", &Page{Rules: known, Services: []Service{{Report: report("web", broken3()[0])}}}, []string{"Passes", "1 warning is advice"}, []string{"keeps every rule"}},
		{"advice to the strict", &Page{Rules: known, Strict: true, Services: []Service{{Report: report("web", broken3()[0])}}}, []string{"Does not pass", "it was asked to be strict"}, nil},
		{"nothing was judged", &Page{Rules: known}, []string{"Nothing was judged"}, []string{"All pass", "Passes"}},
		{"no rule looked", &Page{Rules: known, Services: []Service{{Report: &checks.Report{Subject: checks.Subject{Name: "web"}}}}}, []string{"Does not pass", "No rule looked at it"}, []string{`class="hear">kept`}},
		{"a severity that nobody knows", &Page{Rules: known, Services: []Service{{Report: report("web", checks.Finding{Rule: "user", Severity: "odd", Place: "p", Message: "m"})}}}, []string{"Does not pass", `pill fail">odd`}, nil},
		{"a binary that cannot be measured", &Page{Rules: known, Services: []Service{{Report: report("web"), Platforms: []Platform{
			{Name: "linux/amd64", Binary: &Binary{Path: "/app", Unknown: "the function table breaks off"}}, {Name: "linux/arm64", User: ""},
		}}}}, []string{"Nobody knows: the function table breaks off.", "No layer holds a file", "none named: root", "starts nothing that could be looked at"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := html.UnescapeString(write(t, test.page))
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
			for _, not := range test.not {
				if strings.Contains(out, not) {
					t.Errorf("the page says %q", not)
				}
			}
		})
	}
}

// Findings without end show by their rule, and are counted.
func TestFindingsAreFolded(t *testing.T) {
	var findings []checks.Finding
	for i := range 5000 {
		findings = append(findings, checks.Finding{Rule: "only-executable", Severity: checks.Error, Place: fmt.Sprintf("layer 1: /bin/%d", i), Message: "it is a script"})
	}
	findings = append(findings, broken3()...)
	out := write(t, &Page{Rules: known, Services: []Service{{Report: report("web", findings...)}}})
	if got := strings.Count(out, "it is a script"); got < 50 || got > 400 {
		t.Errorf("%d findings are shown", got)
	}
	if !strings.Contains(html.UnescapeString(out), "more findings of this rule") || !strings.Contains(out, "80/tcp is below 1024") {
		t.Error("the page does not count what it leaves out, or leaves out a rule")
	}
}
