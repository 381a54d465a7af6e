package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"temper/pipeline/release"
)

// A progress is a line on a terminal that says how far a release is, and goes
// when it is done.
type progress struct {
	w    io.Writer
	name string

	mu    sync.Mutex
	stage release.Stage
	next  time.Time
}

// progress returns what to tell of a release, nil where nobody looks: stderr is
// no terminal. Its end takes the line away.
func (p *person) progress(name string) (tell func(release.Progress), end func()) {
	if !p.looks() {
		return nil, func() {}
	}
	line := &progress{w: p.err, name: name}
	return line.tell, line.end
}

// clearLine goes to the begin of the line and empties it.
const clearLine = "\r\x1b[K"

// tell draws the line for every new stage, and ten times a second within one.
func (l *progress) tell(now release.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := time.Now(); now.Stage != l.stage || at.After(l.next) {
		l.stage, l.next = now.Stage, at.Add(100*time.Millisecond)
		fmt.Fprint(l.w, clearLine, l.name, ": ", drawn(now))
	}
}

func drawn(now release.Progress) string {
	if now.Total == 0 {
		return string(now.Stage)
	}
	return fmt.Sprintf("%s %s of %s", now.Stage, bytesText(min(now.Sent, now.Total)), bytesText(now.Total))
}

func (l *progress) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprint(l.w, clearLine)
}
