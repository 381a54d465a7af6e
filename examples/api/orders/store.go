// Package orders keeps orders in memory and serves them as JSON.
//
// A client sends a [Draft]; [Store.Create] makes an [Order] of it or says
// what is wrong. [Handler] is the HTTP face of a [Store].
package orders

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ErrFull says that the store holds as many orders as it may.
var ErrFull = errors.New("no room for another order")

// ErrNotFound says that there is no order with the ID that was asked for.
var ErrNotFound = errors.New("no such order")

// InvalidError says what is wrong with a draft, in words for its sender.
type InvalidError string

func (e InvalidError) Error() string { return string(e) }

// Draft is what a client may say about an order. It is a type of its own so
// that no client can choose an ID or a date by sending one.
type Draft struct {
	Customer string `json:"customer"` // 1 to 100 characters
	Lines    []Line `json:"lines"`    // 1 to 20
}

// Line is one article of an order.
type Line struct {
	SKU      string `json:"sku"`      // 1 to 40 characters
	Quantity int    `json:"quantity"` // 1 to 1000
}

// Order is a draft that was accepted. It never changes: copies share Lines.
type Order struct {
	ID      uuid.UUID `json:"id"`
	Created time.Time `json:"created"`
	Draft
}

// Store is a bounded collection of orders, safe for concurrent use.
type Store struct {
	capacity int

	mu   sync.RWMutex
	byID map[uuid.UUID]Order
	all  []Order // oldest first
}

// NewStore returns an empty store for at most capacity orders. Memory that
// strangers can fill needs a bound; in a real service that is the database's.
func NewStore(capacity int) *Store {
	return &Store{
		capacity: capacity,
		byID:     map[uuid.UUID]Order{},
		all:      []Order{}, // and not nil: an empty list is [] in JSON, not null
	}
}

// Create keeps an order made of d. It returns an [InvalidError] or [ErrFull]
// if it does not.
func (s *Store) Create(d Draft) (Order, error) {
	if err := d.check(); err != nil {
		return Order{}, err
	}
	// Random, and not counted up: an ID must not tell how many orders there
	// are or what the others' IDs may be.
	id, err := uuid.NewRandom()
	if err != nil {
		return Order{}, fmt.Errorf("making an ID: %w", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= s.capacity {
		return Order{}, ErrFull
	}
	o := Order{ID: id, Created: time.Now().UTC(), Draft: d}
	s.byID[id] = o
	s.all = append(s.all, o)
	return o, nil
}

// Get returns the order with that ID, or [ErrNotFound].
func (s *Store) Get(id uuid.UUID) (Order, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.byID[id]
	if !ok {
		return Order{}, ErrNotFound
	}
	return o, nil
}

// List returns up to limit orders, newest first.
func (s *Store) List(limit int) []Order {
	s.mu.RLock()
	defer s.mu.RUnlock()
	page := slices.Clone(s.all[max(0, len(s.all)-limit):])
	slices.Reverse(page)
	return page
}

func (d Draft) check() error {
	if n := utf8.RuneCountInString(d.Customer); n < 1 || n > 100 {
		return InvalidError("customer: want 1 to 100 characters")
	}
	if n := len(d.Lines); n < 1 || n > 20 {
		return InvalidError("lines: want 1 to 20")
	}
	for i, l := range d.Lines {
		if n := utf8.RuneCountInString(l.SKU); n < 1 || n > 40 {
			return InvalidError(fmt.Sprintf("lines[%d].sku: want 1 to 40 characters", i))
		}
		if l.Quantity < 1 || l.Quantity > 1000 {
			return InvalidError(fmt.Sprintf("lines[%d].quantity: want 1 to 1000", i))
		}
	}
	return nil
}
