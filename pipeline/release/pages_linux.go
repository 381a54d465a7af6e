package release

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// derivation is what scrypt fills to make a key out of a password with the cost that
// cosign's private keys have (N 65536, r 8), and some room for what else is made
// meanwhile; bytes.
const derivation = 64<<20 + 8<<20

// largePages asks the kernel to give the memory in which a password becomes a key in
// large pages where it gives them to those who ask: 64 MiB are then there after 32
// faults instead of 16384, and are read in no order without a miss of the page table
// each time. It can only ask ahead for memory of its own, which it gives back to the
// runtime untouched for the next one who wants as much. Where that fails, it costs
// nothing but the time that could have been saved.
func largePages() {
	adviseHeap()
	runtime.GC()
}

//go:noinline
func adviseHeap() {
	page := os.Getpagesize()
	room := make([]byte, derivation)
	first := -int(uintptr(unsafe.Pointer(unsafe.SliceData(room)))) & (page - 1)
	room = room[first:]
	_ = syscall.Madvise(room[:len(room)&^(page-1)], syscall.MADV_HUGEPAGE) // a wish
}
