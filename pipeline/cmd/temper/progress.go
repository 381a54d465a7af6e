package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"temper/pipeline/release"
)

// A progress is a line on a terminal that says how far a release is, and goes
// when it is done. Of several that are side by side it shows the one that has last got on.
type progress struct {
	w io.Writer // nil where nobody looks

	mu    sync.Mutex
	name  string
	stage release.Stage
	next  time.Time
}

// progress returns what to tell of a release. Its end takes the line away.
func (p *person) progress() *progress {
	if !p.looks() {
		return new(progress)
	}
	return &progress{w: p.err}
}

// of returns what takes the progress of one image, nil where nobody looks: stderr is no
// terminal.
func (l *progress) of(name string) func(release.Progress) {
	if l.w == nil {
		return nil
	}
	return func(now release.Progress) { l.tell(name, now) }
}

// clearLine goes to the begin of the line and empties it.
const clearLine = "\r\x1b[K"

// tell draws the line for every new stage, and ten times a second within one.
func (l *progress) tell(name string, now release.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := time.Now(); name == l.name && now.Stage != l.stage || at.After(l.next) {
		l.name, l.stage, l.next = name, now.Stage, at.Add(100*time.Millisecond)
		fmt.Fprint(l.w, clearLine, l.name, ": ", drawn(now))
	}
}

func (l *progress) end() {
	if l.w == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprint(l.w, clearLine)
}

func drawn(now release.Progress) string {
	if now.Total == 0 {
		return string(now.Stage)
	}
	return fmt.Sprintf("%s %s of %s", now.Stage, bytesText(min(now.Sent, now.Total)), bytesText(now.Total))
}
