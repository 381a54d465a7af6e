//go:build !kms

package main

// servicesKnown tells the stories whether this temper speaks to services that hold
// keys.
const servicesKnown = false
