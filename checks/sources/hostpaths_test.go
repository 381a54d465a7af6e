package sources

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// Which paths a service answers to whoever asks, by the cases of the rule about hosts
// and by others.
func TestHostCheckOf(t *testing.T) {
	const guard = `package main

import "net/http"

func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/inside" && r.Host != "example.com" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		if r.URL.Path == "/late" {
			w.Write(nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func home(w http.ResponseWriter, r *http.Request) { w.Write(nil) }

func main() {
	app := http.NewServeMux()
	app.HandleFunc("/", home)
	app.HandleFunc("/readyz", home)
`
	for name, tc := range map[string]struct {
		main string
		want HostCheck
	}{
		"none":      {`http.ListenAndServe(":1", app)`, HostCheck{Paths: []string{"/", "/readyz"}}},
		"behind":    {`http.ListenAndServe(":1", guard(app))`, HostCheck{Checked: true, Paths: []string{"/inside"}}},
		"outside":   {`m := http.NewServeMux(); m.Handle("/", guard(app)); m.HandleFunc("GET /healthz", home); http.ListenAndServe(":1", m)`, HostCheck{Checked: true, Paths: []string{"/healthz", "/inside"}}},
		"switch":    {`http.ListenAndServe(":1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { switch r.URL.Path { case "/livez": w.Write(nil); default: guard(app).ServeHTTP(w, r) } }))`, HostCheck{Checked: true, Paths: []string{"/inside", "/livez"}}},
		"a guarded": {`m := http.NewServeMux(); m.Handle("/", guard(app)); m.Handle("/healthz", guard(app)); http.ListenAndServe(":1", m)`, HostCheck{Checked: true, Paths: []string{"/inside"}}},
		"unknown":   {`var w func(http.Handler) http.Handler; http.ListenAndServe(":1", w(app))`, HostCheck{Undecided: true, Paths: []string{"/", "/readyz"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := programOf(t, []txtar.File{{Name: "main.go", Data: []byte(guard + "\t" + tc.main + "\n}\n")}})
			got, err := HostCheckOf(t.Context(), nil, p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
