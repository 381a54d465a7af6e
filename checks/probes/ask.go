package probes

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// An asker asks one process.
type asker struct {
	Declaration
	Process
}

// dies tells whether the service has ended, or is about to: one that takes no
// connection gets a moment for it.
func (a *asker) dies(ctx context.Context) bool {
	moment := 50 * time.Millisecond
	if a.Port != 0 {
		conn, err := a.connect(ctx, a.Port)
		if err != nil {
			moment = time.Second
		} else {
			conn.Close()
		}
	}
	select {
	case <-a.Done():
		return true
	case <-time.After(moment):
		return false
	}
}

// patience is how long one answer may take.
const patience = 10 * time.Second

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 256 << 10

// An Answer is what came back for one request.
type Answer struct {
	// Asked is what it was, to people.
	Asked string
	// Status is 0 where nothing came that is an answer.
	Status int
	Header http.Header
	// Body is its beginning.
	Body string
}

// refused tells whether a request was refused for its Host. 421 says the same in
// the words of a newer standard.
// https://www.rfc-editor.org/rfc/rfc9110#name-421-misdirected-request
func (a Answer) refused() bool {
	return a.Status == http.StatusBadRequest || a.Status == http.StatusMisdirectedRequest
}

// said says what came back.
func (a Answer) said() string {
	if a.Status == 0 {
		return "gives no answer"
	}
	return fmt.Sprintf("answers %d", a.Status)
}

// A request is written as it is, also where a client's library would mend it.
type request struct {
	port   int // the declared one if 0
	target string
	host   string // none if empty
	header []string
}

// get asks with GET. That no answer comes is an answer too.
func (a *asker) get(ctx context.Context, r request) Answer {
	answer := Answer{Asked: "GET " + r.target}
	if r.port == 0 {
		r.port = a.Port
	} else if r.port != a.Port {
		answer.Asked = fmt.Sprintf("GET %s on port %d", r.target, r.port)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for range tries {
		if a.answer(ctx, r, &answer) || ctx.Err() != nil {
			break
		}
	}
	return answer
}

// tries are for services that promise less time for a header than a busy machine
// takes to write one, and close the connection before they are asked.
const tries = 3

// answer asks once, and tells whether there was an answer.
func (a *asker) answer(ctx context.Context, r request, answer *Answer) bool {
	conn, err := a.connect(ctx, r.port)
	if err != nil {
		return false
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, r.text()); err != nil {
		return false
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	answer.Status, answer.Header = resp.StatusCode, resp.Header
	beginning, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the rest may never come
	answer.Body = string(beginning)
	return true
}

func (r request) text() string {
	lines := []string{"GET " + r.target + " HTTP/1.1"}
	if r.host == "" {
		lines[0] = "GET " + r.target + " HTTP/1.0" // where a Host may be missing
	} else {
		lines = append(lines, "Host: "+r.host)
	}
	lines = append(append(lines, r.header...), "Connection: close")
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// connect dials, and closes the connection with the context.
func (a *asker) connect(ctx context.Context, port int) (net.Conn, error) {
	conn, err := a.Dial(ctx, port)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return conn, nil
}

// own asks for each path by the service's own host.
func (a *asker) own(ctx context.Context) []Answer {
	var answers []Answer
	for _, path := range a.Paths {
		answers = append(answers, a.get(ctx, request{target: path, host: a.Host}))
	}
	return answers
}
