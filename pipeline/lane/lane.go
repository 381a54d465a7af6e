// Package lane gives each service's build a cache of its own, and lets it read one that
// no service's build writes.
//
// Go asks a program for what is cached, if GOCACHEPROG names one, and [Cache.Serve] is
// such a program: it looks into the service's own layer first and into the shared one
// behind it, and writes the own layer alone. The shared one is filled by builds of
// packages that hold none of the repository's code and import none ([Cache.Own] is then
// the shared folder, and there is nothing behind it), so a service pays for its own packages and
// for linking, and not for the standard library.
//
// # Who can do what to whom
//
// What a layer says about an input (an action, in Go's words: the hash of the compiler,
// its flags, the sources and the imports) is believed; what it gives for it is not. Every
// output is held against its SHA-256 when it is asked for, and one that was cut short,
// altered or exchanged is a miss: Go compiles again, into the own layer. That was done and
// need not be done again where the same file, of the same size, has not been written to
// since, as the system tells whatever time the file was given; where it does not tell, it is
// done each time. What was found whole is noted in the own layer: no service goes by what
// another has found.
//
// So whoever can write to the cache of one service can lie to builds of that service and
// platform, and to no others: no file of it is a file of another's, and nothing is
// linked between layers. Whoever can change a service's sources, its dependencies or its
// go.mod reaches less than that, because the build only runs Go's own tools, and what
// they make of other inputs has another name. Whoever can write to the shared layer can
// lie to all that read it, and so can who writes to the module cache: Go holds a module
// against go.sum when it fetches it, and not again. A build that must not depend on the
// shared layer leaves [Cache.Shared] empty.
//
// The protocol: https://pkg.go.dev/cmd/go/internal/cacheprog
package lane

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"
)

// A Cache is what one build sees.
type Cache struct {
	// Own is the folder that the build writes.
	Own string
	// Shared is the folder that it reads besides; empty for none.
	Shared string
}

// A request is what Go sends, a line each. The body of a put follows as a string of
// base64.
type request struct {
	ID       int64
	Command  string
	ActionID []byte
	OutputID []byte
	BodySize int64
}

// A response answers the request of the same ID. The first one has no request.
type response struct {
	ID            int64
	Err           string     `json:",omitempty"`
	KnownCommands []string   `json:",omitempty"`
	Miss          bool       `json:",omitempty"`
	OutputID      []byte     `json:",omitempty"`
	Size          int64      `json:",omitempty"`
	Time          *time.Time `json:",omitempty"`
	DiskPath      string     `json:",omitempty"`
}

// Serve answers Go until it closes the cache or its end of the pipe.
func (c Cache) Serve(in io.Reader, out io.Writer) error {
	s := &server{layers: []layer{layer(c.Own)}, notes: layer(c.Own).notes(), out: json.NewEncoder(out), slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
	if c.Shared != "" && c.Shared != c.Own {
		s.layers = append(s.layers, layer(c.Shared))
	}
	if err := layer(c.Own).open(); err != nil {
		return err
	}
	s.answer(response{KnownCommands: []string{"get", "put", "close"}})
	err := s.serve(bufio.NewReaderSize(in, 1<<16))
	s.pending.Wait()
	s.notes.save() // else all of it is read again the next time
	return errors.Join(err, s.err)
}

// A server is one conversation with Go.
type server struct {
	layers  []layer // the first is written
	notes   *notes
	slots   chan struct{}
	pending sync.WaitGroup

	mu  sync.Mutex // of what follows
	out *json.Encoder
	err error
}

func (s *server) serve(in *bufio.Reader) error {
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("reading from go: %w", err)
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("reading from go: %w", err)
		}
		switch r.Command {
		case "get":
			// Go waits for most of the answers one after the other, and to wake another
			// thread takes longer than to look.
			if res, ok := s.known(r); ok {
				s.answer(res)
				continue
			}
			s.pending.Go(func() {
				s.slots <- struct{}{}
				defer func() { <-s.slots }()
				s.answer(s.get(r))
			})
		case "put":
			res, err := s.put(r, in)
			if err != nil {
				return err
			}
			s.answer(res)
		case "close":
			s.pending.Wait()
			s.answer(response{ID: r.ID})
			return nil
		default:
			s.answer(response{ID: r.ID, Err: fmt.Sprintf("there is no command %q", r.Command)})
		}
	}
}

// answer sends a response. Go notices that one is missing, so an error only has to be
// told in the end.
func (s *server) answer(r response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.out.Encode(r); err != nil && s.err == nil {
		s.err = fmt.Errorf("answering go: %w", err)
	}
}

// found is the answer to who gets an entry.
func found(r request, e entry) response {
	modified := e.info.ModTime()
	return response{ID: r.ID, OutputID: e.output[:], Size: e.info.Size(), Time: &modified, DiskPath: e.path}
}

// known is [server.get] that reads no output: it tells whether there is an answer without.
func (s *server) known(r request) (res response, ok bool) {
	for _, l := range s.layers {
		switch e, untouched, err := l.find(r.ActionID, s.notes); {
		case err != nil: // the next one may have it
		case untouched:
			return found(r, e), true
		default:
			return res, false
		}
	}
	return response{ID: r.ID, Miss: true}, true
}

// get looks into one layer after the other. What cannot be read is not there: Go makes
// it again.
func (s *server) get(r request) response {
	for _, l := range s.layers {
		if e, err := l.get(r.ActionID, s.notes); err == nil {
			return found(r, e)
		}
	}
	return response{ID: r.ID, Miss: true}
}

// put reads the body, whatever becomes of it, because the next request stands behind it.
// The error is one of the conversation.
func (s *server) put(r request, in *bufio.Reader) (response, error) {
	body := io.Reader(bytes.NewReader(nil))
	if r.BodySize > 0 {
		if err := expect(in, '"'); err != nil {
			return response{}, err
		}
		encoded := io.LimitReader(in, int64(base64.StdEncoding.EncodedLen(int(r.BodySize))))
		body = &decoder{in: encoded}
		defer io.Copy(io.Discard, encoded)
	}
	path, err := s.layers[0].put(r.ActionID, r.OutputID, r.BodySize, body)
	if r.BodySize > 0 {
		if _, err := io.Copy(io.Discard, body); err != nil {
			return response{}, fmt.Errorf("reading from go: %w", err)
		}
		if err := expect(in, '"'); err != nil {
			return response{}, err
		}
	}
	if err != nil {
		return response{ID: r.ID, Err: err.Error()}, nil
	}
	return response{ID: r.ID, DiskPath: path}, nil
}

// expect reads one character behind white space.
func expect(in *bufio.Reader, want byte) error {
	for {
		switch got, err := in.ReadByte(); {
		case err != nil:
			return fmt.Errorf("reading from go: %w", err)
		case got == want:
			return nil
		case got != ' ' && got != '\n' && got != '\r' && got != '\t':
			return fmt.Errorf("reading from go: %q where a body begins or ends", got)
		}
	}
}

// A decoder reads base64 in large pieces, which takes a third of the time of package
// base64's own: it is hundreds of megabytes.
type decoder struct {
	in   io.Reader
	buf  [1 << 15]byte
	rest []byte // of buf, decoded
	err  error  // once there was one, it is all that there is
}

func (d *decoder) Read(p []byte) (int, error) {
	if len(d.rest) == 0 && d.err == nil {
		d.rest, d.err = d.fill()
	}
	if len(d.rest) == 0 {
		return 0, d.err
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *decoder) fill() ([]byte, error) {
	n, err := io.ReadFull(d.in, d.buf[:])
	if n == 0 || err != nil && err != io.ErrUnexpectedEOF {
		return nil, err // it ends where there is nothing more
	}
	n, err = base64.StdEncoding.Decode(d.buf[:], d.buf[:n])
	if err != nil {
		return nil, err
	}
	return d.buf[:n], nil
}
