package main

// explained says why Temper does not name what another does, empty where there
// is no reason.
func explained(who, own, what, name string) string {
	return ""
}
