// Package buffer keeps documents for a reader that may be slower than their
// source, within a bound of bytes.
package buffer

import "sync"

// overhead is what a document costs besides its content: its place in the
// slice, and what that slice may have to spare. It keeps many small
// documents within the bound too.
const overhead = 64

// Buffer is a queue that forgets its oldest documents to make room: of a state
// that is watched, the newest is worth most. It is safe for concurrent use.
type Buffer struct {
	max int64

	mu     sync.Mutex
	ready  sync.Cond // on mu: docs has grown, or closed is set
	docs   [][]byte
	size   int64 // of docs, with overhead
	closed bool
}

// New returns an empty buffer of at most max bytes.
func New(max int64) *Buffer {
	b := &Buffer{max: max}
	b.ready.L = &b.mu
	return b
}

// Put appends doc, which the buffer then owns, and returns how many documents
// it had to drop: older ones, or doc itself if it is larger than the buffer.
// After [Buffer.Close] it must not be called.
func (b *Buffer) Put(doc []byte) (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cost(doc) > b.max {
		return 1
	}
	for b.size+cost(doc) > b.max {
		b.pop()
		dropped++
	}
	b.docs = append(b.docs, doc)
	b.size += cost(doc)
	b.ready.Signal()
	return dropped
}

// Next takes the oldest document. It waits for one, and returns false when
// the buffer is closed and empty.
func (b *Buffer) Next() ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.docs) == 0 {
		if b.closed {
			return nil, false
		}
		b.ready.Wait()
	}
	return b.pop(), true
}

// Close says that nothing more comes. What is in the buffer stays for Next.
func (b *Buffer) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.ready.Broadcast()
}

func (b *Buffer) pop() []byte {
	doc := b.docs[0]
	b.docs[0] = nil // the slice below would hold on to it
	b.docs = b.docs[1:]
	b.size -= cost(doc)
	return doc
}

// cost counts the capacity, because that is what is allocated.
func cost(doc []byte) int64 { return int64(cap(doc)) + overhead }
