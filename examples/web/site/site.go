// Package site is a web site made of templates and static files.
//
// [Open] reads all of them once and renders every page on trial, so that an
// image with a broken asset fails at its start and not in front of a visitor. From then on nothing a visitor sends becomes the name of a file.
// [Site.Handler] serves the pages (this file), the static files (static.go),
// the times of the world (clock.go) and the contact form (contact.go).
package site

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"
)

// Site is a site that was read and checked. It is safe for concurrent use.
type Site struct {
	pages   map[string]*template.Template // by the name of the file, without .html
	static  map[string]file
	zones   map[string]*time.Location
	log     *slog.Logger
	deliver func(context.Context, Message) error
	now     func() time.Time // the tests set it
}

// view is what every page is rendered from. One type for all of them lets
// Open try them all with the same sample.
type view struct {
	Form   Message
	Errors map[string]string // by the field of the form
	Zones  []string
	Zone   string
	Now    time.Time
}

// Open reads the site from assets, which holds templates/*.html and static/.
// deliver is called with each message that was sent with the contact form.
func Open(assets fs.FS, log *slog.Logger, deliver func(context.Context, Message) error) (*Site, error) {
	s := &Site{pages: map[string]*template.Template{}, log: log, deliver: deliver, now: time.Now}
	var err error
	if s.static, err = readStatic(assets, "static"); err != nil {
		return nil, err
	}
	if s.zones, err = loadZones(); err != nil {
		return nil, err
	}
	layout, err := template.New("layout.html").
		Funcs(template.FuncMap{"static": s.staticURL}).
		ParseFS(assets, "templates/layout.html")
	if err != nil {
		return nil, err
	}
	sample := view{
		Errors: map[string]string{"name": "-", "email": "-", "text": "-"},
		Zones:  zoneNames,
		Zone:   "UTC",
	}
	for _, name := range []string{"home", "time", "contact", "thanks"} {
		page, err := template.Must(layout.Clone()).ParseFS(assets, "templates/"+name+".html")
		if err != nil {
			return nil, err
		}
		if err := page.Execute(io.Discard, sample); err != nil {
			return nil, fmt.Errorf("trying page %s: %w", name, err)
		}
		s.pages[name] = page
	}
	return s, nil
}

// Handler serves the site.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, http.StatusOK, "home", view{})
	})
	mux.HandleFunc("GET /time", s.clock)
	mux.HandleFunc("GET /contact", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, http.StatusOK, "contact", view{})
	})
	mux.HandleFunc("POST /contact", s.contact)
	mux.HandleFunc("GET "+thanksPath, func(w http.ResponseWriter, r *http.Request) {
		s.render(w, http.StatusOK, "thanks", view{})
	})
	mux.HandleFunc("GET /static/{name...}", s.serveStatic)
	return mux
}

// render writes a page. It goes through a buffer, for a template that stops
// half way must not leave half a page with status 200.
func (s *Site) render(w http.ResponseWriter, status int, page string, v view) {
	var buf bytes.Buffer
	if err := s.pages[page].Execute(&buf, v); err != nil {
		s.log.Error("rendering", "page", page, "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	buf.WriteTo(w)
}
