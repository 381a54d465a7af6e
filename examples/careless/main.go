// DO NOT COPY ANYTHING FROM HERE.
//
// Command careless is a link board that works, and breaks as many rules as it
// can, so that you can see what Temper says about it:
//
//	temper build -C examples/careless
//
// Every mistake is marked BAD, says what it lets somebody do, and names the
// place in the other examples that does it right. Each compiles, passes go
// vet, and has been seen in real services. Run it nowhere but on a machine
// that nobody else reaches, or better not at all.
package main

import (
	"crypto/md5"
	"crypto/tls"
	"encoding/json"
	_ "expvar" // BAD: /debug/vars, with the command line, on the public port; importing it is enough
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	_ "net/http/pprof" // BAD: profiles of the memory, for everybody; likewise
	"os"
	"os/exec"
	"text/template" // BAD: writes what visitors send as HTML; web uses html/template

	"github.com/google/gops/agent" // BAD: a debugger linked into what is shipped
)

// client follows a redirect to anywhere, waits for ever, and believes every
// certificate.
//
// BAD: no Timeout, no CheckRedirect, no verification; see worker/upstream.
var client = &http.Client{
	Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10},
	},
}

// links grows with each request until the kernel ends the process.
//
// BAD: memory that strangers fill without a bound, and without a lock; see
// api/orders.
var links []string

var page = template.Must(template.New("page").Parse(
	`<h1>{{.Title}}</h1><a href="http://{{.Host}}/">home</a>{{range .Links}}<p>{{.}}</p>{{end}}`))

func main() {
	// BAD: whoever reaches this port may read the process's memory and stop it.
	if err := agent.Listen(agent.Options{Addr: "0.0.0.0:6061", ShutdownCleanup: true}); err != nil {
		log.Print(err)
	}
	// BAD: a file where a root that is only read has no place for it; what must
	// be written belongs into a volume, or into /tmp.
	if err := os.WriteFile("/home/nonroot/careless.pid", fmt.Append(nil, os.Getpid()), 0o666); err != nil {
		log.Print(err)
	}
	routes()
	go admin()
	go public()
	// BAD: no timeout of any kind, a port that only root may open, and a stop
	// that drops every request; see api/server.go.
	log.Fatal(http.ListenAndServe(":80", nil))
}

// admin serves the same handlers once more, because DefaultServeMux is
// everybody's.
func admin() {
	var s http.Server // BAD: all timeouts are zero, which means never
	s.Addr = ":6060"
	s.ListenAndServe() // BAD: nobody learns that it did not start
}

// public serves TLS as it was in 1999.
func public() {
	s := &http.Server{ // BAD: no timeouts, no limit for headers
		Addr:      ":443",
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS10}, // BAD: broken since 2011
	}
	s.ListenAndServeTLS("/etc/careless/tls.crt", "/etc/careless/tls.key")
}

// routes puts everything on the mux that pprof and expvar are on.
//
// BAD: no Host check and no security header on any of it; see api/guard.
func routes() {
	http.HandleFunc("/", home)
	http.HandleFunc("/healthz", healthz)
	http.HandleFunc("/add", add)
	http.HandleFunc("/login", login)
	http.HandleFunc("/go", leave)
	http.HandleFunc("/preview", preview)
	http.HandleFunc("/ping", ping)
	http.HandleFunc("/upload", upload)
	// BAD: lists folders, and the folder is everything.
	http.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir("/"))))
}

func healthz(w http.ResponseWriter, r *http.Request) {
	// BAD: another server's trouble becomes its own: all copies are restarted
	// when the database is slow; worker/health.go tells of itself alone.
	resp, err := http.Get("http://database:8080/healthz")
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	resp.Body.Close()
}

func home(w http.ResponseWriter, r *http.Request) {
	// BAD: anybody can send this header, and the page then links to their
	// site; a cache in front keeps that page for everybody.
	host := r.Header.Get("X-Forwarded-Host")
	if host == "" {
		host = r.Host
	}
	// BAD: every site may read this with the visitor's own cookies.
	w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	// BAD: ?title=<script>... runs.
	page.Execute(w, map[string]any{"Title": r.FormValue("title"), "Host": host, "Links": links})
}

func add(w http.ResponseWriter, r *http.Request) {
	// BAD: reads as much as is sent, and takes a GET for it; api/orders/http.go
	// has a limit, a type, and an end.
	body, _ := io.ReadAll(r.Body)
	var link struct{ URL string }
	json.Unmarshal(body, &link) // BAD: what is no JSON is an empty link
	links = append(links, link.URL)
	// BAD: passwords and tokens in the log, line breaks included.
	log.Printf("added %s by %v", body, r.Header)
}

func login(w http.ResponseWriter, r *http.Request) {
	// BAD: a session that can be guessed, in a cookie that scripts can read,
	// that goes over plain HTTP, and that other sites' forms send along.
	id := md5.Sum(fmt.Append(nil, r.FormValue("user"), rand.Int31()))
	http.SetCookie(w, &http.Cookie{Name: "session", Value: fmt.Sprintf("%x", id)})
	leave(w, r)
}

func leave(w http.ResponseWriter, r *http.Request) {
	// BAD: a link to this site that ends at another one; web/site/contact.go
	// redirects to a constant.
	http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
}

func preview(w http.ResponseWriter, r *http.Request) {
	// BAD: asks whatever it is told to, inside the cluster too, and asks the
	// one without verification if that fails.
	target := r.FormValue("url")
	resp, err := http.Get(target)
	if err != nil {
		resp, err = client.Get(target)
	}
	if err != nil {
		// BAD: tells strangers what went wrong inside.
		http.Error(w, fmt.Sprintf("%+v", err), http.StatusInternalServerError)
		return
	}
	// BAD: passes on what has no end, and never closes it.
	io.Copy(w, resp.Body)
}

func ping(w http.ResponseWriter, r *http.Request) {
	// BAD: ?host=;anything runs, and the image needs a shell for it. A
	// process that outlives its request, besides.
	out, err := exec.Command("sh", "-c", "echo ping "+r.FormValue("host")).CombinedOutput()
	fmt.Fprintf(w, "%s %v", out, err)
}

func upload(w http.ResponseWriter, r *http.Request) {
	// BAD: writes where it is told to, for everybody to change.
	f, err := os.OpenFile("/tmp/"+r.FormValue("name"), os.O_CREATE|os.O_WRONLY, 0o777)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	io.Copy(f, r.Body)
}
