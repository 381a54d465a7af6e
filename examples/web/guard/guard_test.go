package guard

import "testing"

func TestHosts(t *testing.T) {
	hosts, err := ParseHosts("shop.example.com, Localhost:8080,[::1]")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host string
		want bool
	}{
		{"shop.example.com", true},
		{"SHOP.example.com", true},
		{"shop.example.com:443", true},
		{"localhost:8080", true},
		{"[::1]", true},
		{"[::1]:8080", true},

		{"", false},
		{":8080", false},
		{"localhost", false}, // allowed with its port alone
		{"localhost:8081", false},
		{"localhost:8080:80", false},
		{"shop.example.com.", false},
		{"shop.example.com:", false},
		{"shop.example.com:http", false},
		{"shop.example.com:99999", false},
		{"shop.example.com:1:2", false},
		{"[shop.example.com]:80", false},
		{"shop.example.com@evil.example", false},
		{"evil.example", false},
		{"shop.example.com.evil.example", false},
		{"evilshop.example.com", false},
		{"[::2]:8080", false},
	} {
		if got := hosts.Allows(c.host); got != c.want {
			t.Errorf("Allows(%q) = %v, want %v", c.host, got, c.want)
		}
	}
	if (Hosts{}).Allows("localhost") {
		t.Error("the zero Hosts allows localhost")
	}
}

func TestParseHostsRefuses(t *testing.T) {
	for _, list := range []string{"", "a,", "*", "*.example.com", "https://example.com", "a b"} {
		if _, err := ParseHosts(list); err == nil {
			t.Errorf("ParseHosts(%q): no error", list)
		}
	}
}
