package orders

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

const (
	maxBody     = 8 << 10 // a draft with every field at its limit fits, in UTF-8
	defaultPage = 50
	maxPage     = 100
)

// Handler serves s:
//
//	POST /orders           a Draft; 201 with the Order
//	GET  /orders/{id}      an Order
//	GET  /orders?limit=N   {"orders": [...]}, newest first
//
// A refusal by these has the body {"error": "..."}.
func Handler(s *Store, log *slog.Logger) http.Handler {
	h := &handler{s, log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", h.create)
	mux.HandleFunc("GET /orders/{id}", h.get)
	mux.HandleFunc("GET /orders", h.list)
	return mux
}

type handler struct {
	store *Store
	log   *slog.Logger
}

func (h *handler) create(w http.ResponseWriter, r *http.Request) {
	var d Draft
	if status, err := decode(w, r, &d); err != nil {
		h.refuse(w, status, err)
		return
	}
	o, err := h.store.Create(d)
	if _, ok := errors.AsType[InvalidError](err); ok {
		h.refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	switch {
	case errors.Is(err, ErrFull):
		h.refuse(w, http.StatusInsufficientStorage, err)
	case err != nil:
		// The sender learns that it was not its fault; the log learns why.
		h.log.Error("creating an order", "err", err)
		h.refuse(w, http.StatusInternalServerError, errors.New("internal error"))
	default:
		w.Header().Set("Location", "/orders/"+o.ID.String())
		h.answer(w, http.StatusCreated, o)
	}
}

func (h *handler) get(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		h.refuse(w, http.StatusNotFound, ErrNotFound)
		return
	}
	o, err := h.store.Get(id)
	if err != nil {
		h.refuse(w, http.StatusNotFound, err)
		return
	}
	h.answer(w, http.StatusOK, o)
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	limit := defaultPage
	// From the URL alone: r.FormValue would parse a body as well.
	if v := r.URL.Query().Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxPage {
			h.refuse(w, http.StatusBadRequest, fmt.Errorf("limit: want 1 to %d", maxPage))
			return
		}
		limit = n
	}
	h.answer(w, http.StatusOK, map[string][]Order{"orders": h.store.List(limit)})
}

// decode reads one JSON value and nothing else from the body into v, or
// returns the status to refuse it with. It is strict because a field that
// nobody reads is a misunderstanding, and costs least when it is found at once.
func decode(w http.ResponseWriter, r *http.Request, v any) (status int, err error) {
	// A form on a stranger's page can send text/plain without asking first,
	// but not this type.
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return http.StatusUnsupportedMediaType, errors.New("want Content-Type: application/json")
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	err = dec.Decode(v)
	if err == nil {
		// What follows the value must be nothing, and within the limit too.
		if _, err = dec.Token(); err == io.EOF {
			return 0, nil
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, errors.New("body too large")
	}
	if err == nil {
		err = errors.New("more than one value in the body")
	}
	return http.StatusBadRequest, err
}

func (h *handler) refuse(w http.ResponseWriter, status int, err error) {
	h.answer(w, status, map[string]string{"error": err.Error()})
}

func (h *handler) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.log.Warn("writing an answer", "err", err) // the client went away
	}
}
