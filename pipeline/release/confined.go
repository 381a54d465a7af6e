package release

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Confined returns a transport that reaches the registries, named as
// [name.Registry.RegistryStr] has them, and no other host. A registry that
// keeps its blobs in another place, or has its tokens given out there, cannot be
// read by it: it is an error that names the place. Proxies of the environment
// are used.
func Confined(registries ...string) http.RoundTripper { return confined(registries) }

type confined []string

func (c confined) RoundTrip(r *http.Request) (*http.Response, error) {
	if !slices.Contains(c, r.URL.Host) {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, fmt.Errorf("the registry leads to %s, and nothing but %s may be asked", r.URL.Host, strings.Join(c, ", "))
	}
	return network{}.RoundTrip(r)
}
