// Package sigstore holds keyless signing and verification against Sigstore's own
// servers: Fulcio, the timestamp authority and Rekor, both the log of tiles and
// version 1, on loopback and with keys in memory. The tests of Temper use
// stand-ins for them, which are quick; this tells whether the stand-ins are true.
//
// The servers are built from the Go module proxy, which takes minutes the first
// time. Rekor 1 keeps its log in Trillian, which runs in the test, in memory.
package sigstore
