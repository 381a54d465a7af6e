package policy

import (
	"fmt"
	"net/url"
	"strings"
)

// A Source is a repository. How it was fetched makes no difference: an address
// with https is the same repository as one with ssh.
type Source struct {
	// Address is as the file has it.
	Address string
	// same is what two addresses of one repository have in common.
	same string
}

// String returns the address.
func (s Source) String() string { return s.Address }

// Repository returns the host, in lower case, and the path, which two addresses
// of one repository have in common.
func (s Source) Repository() string { return s.same }

func parseSource(text string) (Source, error) {
	same := sameSource(text)
	if same == "" {
		return Source{}, fmt.Errorf("source %q is no address of a repository; write it whole, such as https://github.com/acme/shop", text)
	}
	return Source{Address: text, same: same}, nil
}

// sameSource returns the host, in lower case, and the path of a repository;
// empty where the text is no address of one.
func sameSource(text string) string {
	u, err := url.Parse(strings.TrimPrefix(text, "git+"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	path := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	if path == "" || strings.ContainsAny(path, "*@ ") {
		return ""
	}
	return strings.ToLower(u.Host) + "/" + path
}
