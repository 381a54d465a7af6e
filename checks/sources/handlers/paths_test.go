package handlers

import "testing"

func TestIsHealth(t *testing.T) {
	for path, want := range map[string]bool{
		"/healthz": true, "/livez/ping": true, "/api/v1/health": true, "/metrics": true, "/status": true, "/debug/pprof/": true, "/-/ready": true,
		"/": false, "": false, "/orders/7/status": false, "/debug": false, "/healthy-food": false, "/metrics/7": false, "/-": false,
	} {
		if got := IsHealth(path); got != want {
			t.Errorf("IsHealth(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestPatternPath(t *testing.T) {
	for pattern, want := range map[string][2]string{
		"/a": {"", "/a"}, "GET /a": {"", "/a"}, "example.com/a": {"example.com", "/a"}, "POST example.com/": {"example.com", "/"}, "/{$}": {"", "/"},
	} {
		if host, path := patternPath(pattern); host != want[0] || path != want[1] {
			t.Errorf("patternPath(%q) = %q, %q, want %q", pattern, host, path, want)
		}
	}
}
