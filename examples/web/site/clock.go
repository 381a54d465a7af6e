package site

import (
	"fmt"
	"net/http"
	"time"
)

// zoneNames are the time zones that visitors may ask for.
var zoneNames = []string{
	"UTC", "America/New_York", "America/Sao_Paulo", "Europe/Berlin",
	"Africa/Nairobi", "Asia/Kolkata", "Asia/Tokyo", "Pacific/Auckland",
}

// loadZones reads the zones from the image's /usr/share/zoneinfo, and fails
// in an image that has none. The alternative, importing time/tzdata, would
// give every service in a cluster a copy of its own, as old as its binary.
func loadZones() (map[string]*time.Location, error) {
	zones := map[string]*time.Location{}
	for _, name := range zoneNames {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return nil, fmt.Errorf("loading time zones: %w", err)
		}
		zones[name] = zone
	}
	return zones, nil
}

// clock shows the time in the zone that the query asks for. What it asks for
// is looked up in what Open loaded: time.LoadLocation takes its argument for
// the name of a file, and no visitor should choose one.
func (s *Site) clock(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("zone")
	if name == "" {
		name = "UTC"
	}
	zone, ok := s.zones[name]
	if !ok {
		s.render(w, http.StatusBadRequest, "time", view{Zones: zoneNames})
		return
	}
	s.render(w, http.StatusOK, "time", view{Zones: zoneNames, Zone: name, Now: s.now().In(zone)})
}
