package releasetest

import (
	"net/http"
	"sync"
)

// visits are what a service was asked, and who answers in its place.
type visits struct {
	visiting sync.Mutex
	asked    map[string]int
	instead  func(w http.ResponseWriter, r *http.Request) bool
}

// Instead lets a function answer in the place of the service, where it returns
// true; nil lets it answer again.
func (v *visits) Instead(answer func(w http.ResponseWriter, r *http.Request) bool) {
	v.visiting.Lock()
	defer v.visiting.Unlock()
	v.instead = answer
}

// Asked returns how often each path was asked since the last time.
func (v *visits) Asked() map[string]int {
	v.visiting.Lock()
	defer v.visiting.Unlock()
	asked := v.asked
	v.asked = nil
	if asked == nil {
		asked = make(map[string]int)
	}
	return asked
}

// answered counts a request, and tells whether somebody answered it in the
// service's place.
func (v *visits) answered(w http.ResponseWriter, r *http.Request) bool {
	v.visiting.Lock()
	if v.asked == nil {
		v.asked = make(map[string]int)
	}
	v.asked[r.URL.Path]++
	instead := v.instead
	v.visiting.Unlock()
	return instead != nil && instead(w, r)
}
