package page

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser returns the command of a browser that can run without a screen.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium on the PATH: apt-get install chromium")
	return ""
}

// frame shows a page as wide as it is told to, opens all that can be opened, and
// writes down what became of it.
const frame = `<!DOCTYPE html><title>frame</title><body><pre id="said"></pre><iframe id="f" width="%d" height="800" src="%s"></iframe>
<script>
document.getElementById("f").onload = function () {
  var d = this.contentDocument, said = [];
  d.querySelectorAll("details").forEach(function (e) { e.open = true });
  said.push("verdict: " + d.querySelector("h1").textContent);
  said.push("wide: " + d.documentElement.scrollWidth);
  said.push("script: " + d.querySelectorAll(".read").length);
  var maps = d.querySelectorAll(".map > svg");
  said.push("maps: " + maps.length);
  maps.forEach(function (m) { m.focus(); m.dispatchEvent(new KeyboardEvent("keydown", {key: "End"})); });
  said.push("read: " + (maps.length && d.querySelectorAll(".cell.at").length));
  var small = 0, out = 0;
  d.querySelectorAll(".map text").forEach(function (e) {
    if (getComputedStyle(e).display === "none") return;
    var t = e.getBoundingClientRect(), c = e.parentNode.getBoundingClientRect();
    if (parseFloat(getComputedStyle(e).fontSize) < 11) small++;
    if (t.right > c.right + 3) out++;
  });
  said.push("small: " + small, "out: " + out);
  document.getElementById("said").textContent = said.join("\n");
};
</script>`

// look has the browser load a page and returns what the frame wrote down, and
// fails where the browser has something to say or asks for something else.
func look(t *testing.T, page string, width int) []string {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		switch r.URL.Path {
		case "/frame":
			fmt.Fprintf(w, frame, width, "/page")
		case "/page":
			fmt.Fprint(w, page)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	args := []string{"--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking",
		"--enable-logging=stderr", "--user-data-dir=" + t.TempDir(), "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--window-size=1300,900", "--virtual-time-budget=20000", "--dump-dom", server.URL + "/frame"}
	if os.Getuid() == 0 {
		args = slices.Insert(args, 0, "--no-sandbox")
	}
	cmd := exec.CommandContext(ctx, browser(t), args...)
	var dom, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &dom, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("running the browser: %v\n%s", err, &log)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, ":CONSOLE") {
			t.Errorf("the browser says: %s", line)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, path := range asked {
		if path != "/frame" && path != "/page" && path != "/favicon.ico" { // the frame's own icon
			t.Errorf("the page asks for %s", path)
		}
	}
	_, said, _ := strings.Cut(dom.String(), `<pre id="said">`)
	said, _, found := strings.Cut(said, "</pre>")
	if !found || said == "" {
		t.Fatalf("the page did not load:\n%s", &log)
	}
	return strings.Split(said, "\n")
}

func TestInBrowser(t *testing.T) {
	browser(t)
	n := 0
	sly := sly(func() string { n++; return hostile[n%len(hostile)] })
	for _, test := range []struct {
		name    string
		page    *Page
		width   int
		verdict string
		maps    int
	}{
		{"wide", shop(), 1200, "1 of 3 does not pass", 10},
		{"narrow", shop(), 360, "1 of 3 does not pass", 10},
		{"crowded and narrow", crowd(6, 100, 100), 360, "All pass", 24},
		{"hostile", sly, 360, "2 of 3 do not pass", 9},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := look(t, write(t, test.page), test.width)
			want := []string{"verdict: " + test.verdict, fmt.Sprint("wide: ", test.width), fmt.Sprint("script: ", test.maps), fmt.Sprint("maps: ", test.maps), "read: 1", "small: 0", "out: 0"}
			if !slices.Equal(said, want) {
				t.Errorf("the browser sees %q, want %q", said, want)
			}
		})
	}
}
