package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"

	"temper/checks"
	"temper/pipeline/admission"
	"temper/pipeline/binary"
	"temper/pipeline/difference"
	"temper/pipeline/image"
	"temper/pipeline/manifest"
	"temper/pipeline/service"
)

// Everything that Temper says to a person is said in this file.
//
// The rules: stdout is the result and nothing else, fit for $(...). All other
// words go to stderr, as "temper: error: ..." for what went wrong, and
// "temper: hint: ..." for the next thing to type: lower case, no period.
// Findings and compilers speak in their own words.

// A person is who started the command, and the files that lead to them.
type person struct {
	in       io.Reader
	out, err io.Writer
	verbose  bool
}

// fail says why something could not be done.
func (p *person) fail(err error) {
	var compile *binary.CompileError
	if errors.As(err, &compile) {
		// Go's words as Go wrote them, so that editors find the lines.
		fmt.Fprintf(p.err, "temper: error: compiling %s for %s\n%s\n", compile.Service, compile.Platform, compile.Output)
		if compile.Hint != "" {
			fmt.Fprintf(p.err, "temper: hint: %s\n", compile.Hint)
		}
		return
	}
	fmt.Fprintf(p.err, "temper: error: %v\n", err)
	var hinted *hintedError
	if errors.As(err, &hinted) {
		fmt.Fprintf(p.err, "temper: hint: %s\n", hinted.next)
	}
}

// no says that the answer is no, and by what.
func (p *person) no(err *noError) {
	for _, line := range err.reasons {
		fmt.Fprintf(p.err, "temper: no: %s\n", line)
	}
	if err.next != "" {
		fmt.Fprintf(p.err, "temper: hint: %s\n", err.next)
	}
}

// note says something in passing, in verbose mode only.
func (p *person) note(format string, args ...any) {
	if p.verbose {
		fmt.Fprintf(p.err, "temper: "+format+"\n", args...)
	}
}

// mended tells what --fix has changed, and that it did not change all.
func (p *person) mended(files []string, skipped int) {
	for _, file := range files {
		fmt.Fprintf(p.err, "temper: mended %s\n", file)
	}
	if skipped > 0 {
		fmt.Fprintf(p.err, "temper: some fixes change the same lines as others, and were left out\n")
		fmt.Fprintf(p.err, "temper: hint: type it again\n")
	}
}

// report shows what the rules found, and nothing of a report that is clean
// unless asked to.
func (p *person) report(r *checks.Report) error {
	if len(r.Findings) == 0 && len(r.Notices) == 0 && !p.verbose {
		return nil
	}
	return checks.WriteText(p.err, r)
}

// setAside lists, in verbose mode, what the environment holds that does not
// reach the build.
func (p *person) setAside() {
	for _, v := range binary.Ambient() {
		key := "nothing in temper.yaml does the same"
		if v.Key != "" {
			key = "in temper.yaml: " + v.Key
		}
		p.note("set aside %s=%s (%s)", v.Name, v.Value, key)
	}
}

// outside tells that the repository is not all that was compiled.
func (p *person) outside(service string, folders []string) {
	fmt.Fprintf(p.err, "temper: warning: %s compiles code from outside of the repository, which no commit tells: %s; its provenance says that the source has changes\n",
		service, strings.Join(folders, ", "))
}

// unasked tells that the signer of one base is nobody to ask of another.
func (p *person) unasked(base string) {
	fmt.Fprintf(p.err, "temper: warning: the signer that temper.yaml names is not asked of --base %s, which is another image\n", base)
}

// verified tells what a release manager asked for, a fact a line.
func (p *person) verified(f *releaseFacts) {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		// What was signed has no say in how many lines there are.
		fmt.Fprintf(&b, "  %-10s  %s\n", what, oneLine.Replace(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(&b, "%s verifies\n", f.Ref)
	line("service", "%s", f.Service)
	if f.Identity != "" {
		line("signed by", "%s (%s)", f.Identity, strings.Join(f.Forms, ", "))
		line("issuer", "%s", f.Issuer)
		line("signed at", "%s", f.SignedAt)
	} else {
		line("signed by", "%s (%s)", f.Signer, strings.Join(f.Forms, ", "))
	}
	for _, also := range f.AlsoSignedBy {
		line("and by", "%s", also)
	}
	for _, platform := range f.Platforms {
		line("platform", "%s %s", platform.Platform, platform.Digest)
	}
	source := f.Source
	if source == "" {
		source = "not recorded"
	}
	line("source", "%s", source)
	line("built by", "%s with %s", f.Builder, f.Go)
	if f.BuiltAt != "" {
		line("built at", "%s, says the provenance", f.BuiltAt)
	}
	line("base", "%s", f.Base)
	if f.BaseSigner != "" {
		line("", "signed by %s, says the provenance", f.BaseSigner)
	}
	line("modules", "%d, in the SBOM", f.Modules)
	running := ""
	if f.Probes > 0 {
		running = fmt.Sprintf(" (%d of them while it ran)", f.Probes)
	}
	line("checked", "by %d rules%s, %d warnings", f.Rules, running, f.Warnings)
	for _, names := range wrapped(f.Looked, 90) {
		line("", "%s", names)
	}
	if f.Rechecked > 0 {
		line("rechecked", "by %d rules, just now", f.Rechecked)
	}
	for _, w := range f.Waivers {
		until := "until"
		if w.Expired {
			until = "expired, it was until"
		}
		line("waived", "%s, %s %s: %s", w.Rule, until, w.Expires, w.Reason)
	}
	if r := f.rebuilt; r != nil {
		line("rebuilt", "from %s with %s, to the same digest", r.Commit, r.Go)
		tell(&b, r)
	}
	io.WriteString(p.err, printable(b.String()))
}

// resolved tells which image a manifest now names, and who answers for it.
func (p *person) resolved(text, digest string, f *releaseFacts) {
	fmt.Fprintf(p.err, "temper: %s\n", printable(fmt.Sprintf("%s is %s: service %s, signed by %s", text, digest, cmp.Or(f.Service, "unknown"), f.Signer)))
}

// foreign tells of images that a manifest names and that nobody was to look at.
func (p *person) foreign(at, text string) {
	fmt.Fprintf(p.err, "temper: %s\n", printable(fmt.Sprintf("%s: left alone: %s", at, text)))
}

// aside warns of what names an image where no container does.
func (p *person) aside(at, text string) {
	fmt.Fprintf(p.err, "temper: warning: %s\n", printable(fmt.Sprintf("%s: left as it is, for it is no image of a container: %s", at, oneLine.Replace(text))))
}

// gap tells in what an admission engine and a release policy differ.
func (p *person) gap(g admission.Gap) {
	what := "warning: "
	if g.Stricter {
		what = ""
	}
	fmt.Fprintf(p.err, "temper: %s%s\n", what, printable(oneLine.Replace(g.String())))
}

// lowUser warns of a user that a host may know too.
func (p *person) lowUser(svc *service.Service) {
	if uid, gid, err := svc.UserGroup(); err == nil && min(uid, gid) < manifest.LeastID {
		fmt.Fprintf(p.err, "temper: warning: %s runs as %s, and temper check wants numbers above %d, which no host gives to people; the default of temper.yaml is %s\n",
			svc.Name, svc.User, manifest.LeastID-1, service.DefaultUser)
	}
}

// left tells what claims to belong to an image and was not copied with it.
func (p *person) left(behind []string) {
	for _, one := range behind {
		fmt.Fprintf(p.err, "temper: warning: left behind, for verifying does not look at it: %s\n", one)
	}
}

// bare tells that nothing belongs to an image.
func (p *person) bare(image string) {
	fmt.Fprintf(p.err, "temper: warning: %s has no signature and no attestation to copy\n", image)
}

// differs tells what is not as it was released.
func (p *person) differs(f *releaseFacts, r *rebuilt) {
	if r.Digest == "" {
		return // the answer says all
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s is signed, and not what its provenance makes\n", f.Ref)
	fmt.Fprintf(&b, "  %-10s  %s\n  %-10s  %s, from %s with %s\n", "released", f.Digest, "rebuilt", r.Digest, r.Commit, r.Go)
	tell(&b, r)
	io.WriteString(p.err, printable(b.String()))
}

// tell lists the first differences, a cause once and the sections of one file in
// one line.
func tell(b *strings.Builder, r *rebuilt) {
	const enough, brief = 12, 60
	line := func(what, text string) { fmt.Fprintf(b, "  %-10s  %s\n", what, oneLine.Replace(text)) }
	cause, lines := "", 0
	for i := 0; i < len(r.Differences); i++ {
		if lines == enough {
			line("and", fmt.Sprintf("%d more, which --json lists", len(r.Differences)-i))
			break
		}
		d := r.Differences[i]
		text := strings.TrimPrefix(d.Place()+": "+d.What, ": ")
		if sections := sectionsFrom(r.Differences[i:]); len(sections) > 1 {
			text = strings.TrimSuffix(d.Place(), d.Section) + "sections " + strings.Join(sections, ", ")
			i += len(sections) - 1
		} else if len(d.Released) <= brief && len(d.Rebuilt) <= brief {
			text += fmt.Sprintf(": %s there, %s here", orNothing(d.Released), orNothing(d.Rebuilt))
		}
		line("differs", text)
		lines++
		if d.Cause != "" && d.Cause != cause {
			line("", d.Cause)
			cause = d.Cause
		}
	}
	if r.More > 0 {
		line("and", fmt.Sprintf("%d more of the same kinds", r.More))
	}
}

// sectionsFrom are the sections of one file with which a list begins.
func sectionsFrom(list []difference.Difference) (names []string) {
	for _, d := range list {
		at := list[0]
		if at.Section == "" || d.Section == "" || strings.HasPrefix(d.What, "function ") || d.Cause != "" ||
			d.Platform != at.Platform || d.Layer != at.Layer || d.Path != at.Path {
			break
		}
		names = append(names, d.Section)
	}
	return names
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// wrapped joins words with commas into lines of about a width.
func wrapped(words []string, width int) (lines []string) {
	text := ""
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		if text != "" && len(text)+1+len(word) > width {
			lines, text = append(lines, text), ""
		}
		text = strings.TrimPrefix(text+" "+word, " ")
	}
	if text != "" {
		lines = append(lines, text)
	}
	return lines
}

// base tells what images stand on.
func (p *person) base(f *baseFacts) {
	var b strings.Builder
	signer := f.Signer
	switch {
	case strings.HasPrefix(f.Base, service.BuiltinBase+"@"):
		signer = "nobody: Temper makes it"
	case signer == "":
		signer = unnamed
	}
	fmt.Fprintf(&b, "%s\n  signed by   %s\n  platform    %s\n  user        %s\n  files       %d, %s\n", f.Base, signer, f.Platform, f.User, f.Files, bytesText(f.Size))
	for _, one := range f.Packages {
		fmt.Fprintf(&b, "  package     %s %s\n", one.Name, one.Version)
	}
	for _, path := range f.Unread {
		fmt.Fprintf(&b, "  unread      %s, a database of packages that Temper cannot read\n", path)
	}
	io.WriteString(p.err, printable(b.String()))
}

// builtin tells that there is nothing to update.
func (p *person) builtin() {
	fmt.Fprintf(p.err, "temper: the built-in base comes with Temper, as version %d; a newer Temper may have a newer one\n", image.BuiltinVersion)
}

// update tells what a newer base brings.
func (p *person) update(f *updateFacts, distroless bool) {
	var b strings.Builder
	if !f.Newer {
		fmt.Fprintf(&b, "%s is the newest\n", f.Base)
	} else {
		fmt.Fprintf(&b, "%s\n  is now      %s\n", f.Base, f.Newest)
	}
	if f.Signer != "" {
		fmt.Fprintf(&b, "  signed by   %s\n", f.Signer)
	} else {
		fmt.Fprintf(&b, "  signed by   %s\n", unnamed)
	}
	switch c := f.Changes; {
	case !f.Newer:
	case c == nil:
		fmt.Fprintf(&b, "  changes     are not known, for the old image cannot be read: %s\n", f.Unread)
	case c.None():
		fmt.Fprintf(&b, "  changes     none, for %s\n", f.Platform)
	default:
		for _, one := range c.Packages {
			fmt.Fprintf(&b, "  package     %s\n", changeText(one))
		}
		for _, one := range c.Config {
			fmt.Fprintf(&b, "  config      %s\n", changeText(one))
		}
		fmt.Fprintf(&b, "  files       %d added, %d removed, %d changed, %s -> %s for %s\n",
			c.Files.Added, c.Files.Removed, c.Files.Changed, bytesText(c.Files.OldSize), bytesText(c.Files.NewSize), f.Platform)
	}
	switch {
	case f.Written:
		fmt.Fprintf(&b, "  written     to temper.yaml\n")
	case f.Newer && distroless:
		fmt.Fprintf(&b, "temper: hint: temper base update --pin writes it into temper.yaml, with its signer; until then it is the one that Temper pins\n")
	}
	io.WriteString(p.err, printable(b.String()))
}

// unnamed stands where nobody was asked to have signed.
const unnamed = "nobody that temper.yaml names, so it was not checked"

// printable takes out of lines what would do more on a terminal than be read:
// whoever made a base has a say in them.
func printable(lines string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, lines)
}

// oneLine shows the line breaks in what is told in one line.
var oneLine = strings.NewReplacer("\n", `\n`, "\r", `\r`)

// changeText is a change as people read it.
func changeText(c image.Change) string {
	switch {
	case c.Old == "":
		return c.Name + " added, " + c.New
	case c.New == "":
		return c.Name + " removed, was " + c.Old
	}
	return c.Name + " " + c.Old + " -> " + c.New
}

// bytesText is a size as people read it.
func bytesText(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%d kB", n/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

// json writes the one object that --json promises.
func (p *person) json(v any) error {
	e := json.NewEncoder(p.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// jsonReports writes one JSON object with a list of reports, some at a time:
// thousands of them together would be more than all that they were made from.
func (p *person) jsonReports(reports []*checks.Report) error {
	if len(reports) == 0 {
		return p.json(struct {
			Reports []*checks.Report `json:"reports"`
		}{reports})
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("    ", "  ")
	e.SetEscapeHTML(false)
	out.WriteString("{\n  \"reports\": [\n    ")
	for i, r := range reports {
		if i > 0 {
			out.WriteString(",\n    ")
		}
		if err := e.Encode(r); err != nil {
			return err
		}
		out.Truncate(out.Len() - 1) // the end of its last line
		if out.Len() > 64<<10 {
			if _, err := out.WriteTo(p.out); err != nil {
				return err
			}
		}
	}
	out.WriteString("\n  ]\n}\n")
	_, err := out.WriteTo(p.out)
	return err
}

// password asks for the key's password: COSIGN_PASSWORD, as cosign has it, or
// the terminal. Twice where a new one is set.
func (p *person) password(again bool) ([]byte, error) {
	if value, ok := os.LookupEnv("COSIGN_PASSWORD"); ok {
		return []byte(value), nil
	}
	in, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, hintf("export COSIGN_PASSWORD=...", "the key's password is not known and there is no terminal to ask for it")
	}
	ask := func(prompt string) ([]byte, error) {
		fmt.Fprint(p.err, prompt)
		defer fmt.Fprintln(p.err)
		return term.ReadPassword(int(in.Fd()))
	}
	first, err := ask("password of the key: ")
	if err != nil || !again {
		return first, err
	}
	second, err := ask("once more: ")
	if err != nil {
		return nil, err
	}
	if string(first) != string(second) {
		return nil, errors.New("the two passwords differ")
	}
	return first, nil
}
