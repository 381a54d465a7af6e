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

// sameSource returns the host, in lower case, and the path of a repository, as it
// is written; empty where the text is no address of one. Who answers without saying
// who they are, over http or git, is another than who answers at the same address
// over https or ssh.
func sameSource(text string) string {
	u, err := url.Parse(strings.TrimPrefix(text, "git+"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	path := strings.TrimSuffix(strings.Trim(u.EscapedPath(), "/"), ".git")
	if path == "" || strings.ContainsAny(u.Path, "*@ ") {
		return ""
	}
	same := strings.ToLower(u.Host) + "/" + path
	switch u.Scheme {
	case "https", "ssh":
		return same
	case "http", "git":
		return u.Scheme + "://" + same
	}
	return ""
}
