package release

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// anywhere brings every request to one host, as whoever stands in between does,
// and writes down what it was told there in the clear. It lets nothing encrypted
// through.
type anywhere struct {
	to   string
	told []string
}

func (a *anywhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return nil, http.ErrHandlerTimeout
	}
	a.told = append(a.told, r.Header.Get("Authorization"))
	r = r.Clone(r.Context())
	r.URL.Host = strings.TrimPrefix(a.to, "http://")
	return http.DefaultTransport.RoundTrip(r)
}

// A password reaches nobody in the clear but this machine and who was named,
// however private an address looks.
func TestPlainHTTPIsForWhoIsNamed(t *testing.T) {
	wants := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer wants.Close()
	for _, tc := range []struct {
		host  string
		named []string
		told  bool
	}{
		{"10.1.2.3:5000", nil, false},
		{"192.168.1.2", nil, false},
		{"10.1.2.3:5000", []string{"10.1.2.3"}, false},
		{"10.1.2.3:5000", []string{"10.1.2.3:5000"}, true},
		{"registry.internal", []string{"registry.internal"}, true},
		{"127.0.0.1:5000", nil, true},
		{"localhost:5000", nil, true},
	} {
		repo, err := name.NewRepository(tc.host + "/shop")
		if err != nil {
			t.Fatal(err)
		}
		between := &anywhere{to: wants.URL}
		opts := Options{Transport: between, Insecure: tc.named, Keychain: passwords{}}
		_, err = Open(context.Background(), repo.Tag("v1"), newKey(t).Verifier(), Policy{}, opts)
		if told := len(between.told) > 0; told != tc.told {
			t.Errorf("%s with --insecure %v: it is spoken to in the clear: %v, want %v (%v)", tc.host, tc.named, told, tc.told, err)
		}
		if err == nil || !tc.told && !strings.Contains(err.Error(), "--insecure "+tc.host) {
			t.Errorf("%s with --insecure %v: error %v", tc.host, tc.named, err)
		}
	}
}

type passwords struct{}

func (passwords) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "me", Password: "secret"}, nil
}
