package main

import (
	"fmt"
	"strings"
)

// A hintedError knows what to type next.
type hintedError struct {
	error
	next string
}

func (e *hintedError) Unwrap() error { return e.error }

func hintf(next, format string, args ...any) error {
	return &hintedError{fmt.Errorf(format, args...), next}
}

// A usageError is about the command line itself.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) *usageError {
	return &usageError{fmt.Errorf(format, args...)}
}

func (e *usageError) hint(format string, args ...any) *usageError {
	return &usageError{&hintedError{e.error, fmt.Sprintf(format, args...)}}
}

// A noError is the answer no: everything was looked at, and it does not pass.
type noError struct {
	reasons []string
	next    string
}

func (e *noError) Error() string { return strings.Join(e.reasons, "; ") }
