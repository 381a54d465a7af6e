package buffer

import (
	"testing"
	"testing/synctest"
)

func doc(s string) []byte { return []byte(s)[:len(s):len(s)] }

func TestOrder(t *testing.T) {
	b := New(1000)
	for _, s := range []string{"1", "2", "3"} {
		if dropped := b.Put(doc(s)); dropped != 0 {
			t.Errorf("Put(%s) dropped %d", s, dropped)
		}
	}
	b.Close()
	for _, want := range []string{"1", "2", "3"} {
		if got, ok := b.Next(); !ok || string(got) != want {
			t.Errorf("Next = %q, %v; want %q", got, ok, want)
		}
	}
	if got, ok := b.Next(); ok {
		t.Errorf("Next of a closed, empty buffer = %q", got)
	}
}

func TestBound(t *testing.T) {
	b := New(3 * (10 + overhead))
	for range 3 {
		b.Put(doc("0123456789"))
	}
	if dropped := b.Put(doc("abcdefghij")); dropped != 1 {
		t.Errorf("the fourth dropped %d, want the oldest alone", dropped)
	}
	if dropped := b.Put(make([]byte, 10+overhead)); dropped != 2 {
		t.Errorf("a large one dropped %d, want 2", dropped)
	}
	if dropped := b.Put(make([]byte, 1000)); dropped != 1 {
		t.Errorf("one larger than the buffer dropped %d, want itself", dropped)
	}
	if b.size > b.max {
		t.Errorf("size %d above %d", b.size, b.max)
	}
	if got, _ := b.Next(); string(got) != "abcdefghij" {
		t.Errorf("Next = %q, want the oldest that is left", got)
	}
	b.Next()
	if b.size != 0 {
		t.Errorf("an empty buffer of size %d", b.size)
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(1000)
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for d, ok := b.Next(); ok; d, ok = b.Next() {
				got = append(got, string(d))
			}
		}()
		synctest.Wait()
		b.Put(doc("late"))
		synctest.Wait()
		b.Close()
		<-done
		if len(got) != 1 || got[0] != "late" {
			t.Errorf("got %q, want [late]", got)
		}
	})
}
