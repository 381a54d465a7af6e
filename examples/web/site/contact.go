package site

import (
	"errors"
	"net/http"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxForm    = 32 << 10 // a message at its limits fits, percent-encoded as it is sent
	thanksPath = "/contact/thanks"
)

// Message is what a visitor wrote in the contact form.
type Message struct {
	Name  string // one line of up to 100 characters
	Email string // a bare address
	Text  string // 1 to 2000 characters
}

// contact takes a message and sends the visitor on, so that a reload does not
// send it again. Where to is a constant: a target taken from the request
// would let anybody make links to this site that end at theirs.
func (s *Site) contact(w http.ResponseWriter, r *http.Request) {
	// ParseForm has a bound of its own, 10 MB; a multipart body, which spills
	// into temporary files, it leaves alone: such a form is an empty one here.
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, "message too large", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "malformed form", http.StatusBadRequest)
		return
	}
	// PostForm and not Form: a link with a query must not fill in the form.
	m := Message{
		Name:  strings.TrimSpace(r.PostForm.Get("name")),
		Email: strings.TrimSpace(r.PostForm.Get("email")),
		Text:  strings.TrimSpace(r.PostForm.Get("text")),
	}
	if errs := m.check(); len(errs) > 0 {
		s.render(w, http.StatusUnprocessableEntity, "contact", view{Form: m, Errors: errs})
		return
	}
	if err := s.deliver(r.Context(), m); err != nil {
		s.log.Error("delivering a message", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, thanksPath, http.StatusSeeOther)
}

// check returns what is wrong, by field.
func (m Message) check() map[string]string {
	errs := map[string]string{}
	// A control character, a line break above all, would let a name write
	// headers of the mail that it ends up in.
	if n := utf8.RuneCountInString(m.Name); n < 1 || n > 100 || strings.ContainsFunc(m.Name, unicode.IsControl) {
		errs["name"] = "Please give a name of up to 100 characters."
	}
	if a, err := mail.ParseAddress(m.Email); err != nil || a.Address != m.Email {
		errs["email"] = "Please give an address such as ada@example.com."
	}
	if n := utf8.RuneCountInString(m.Text); n < 1 || n > 2000 {
		errs["text"] = "Please write up to 2000 characters."
	}
	return errs
}
