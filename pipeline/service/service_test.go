package service

import "testing"

func TestNamed(t *testing.T) {
	r := &Repository{Services: []*Service{{Name: "basket"}, {Name: "orders"}}}
	if s, err := r.Named("orders"); err != nil || s != r.Services[1] {
		t.Errorf("Named(orders) = %v, %v", s, err)
	}
	_, err := r.Named("order")
	if want := `no service is named "order"; there are: basket, orders`; err == nil || err.Error() != want {
		t.Errorf("Named(order): %v, want %s", err, want)
	}
}

func TestUserGroup(t *testing.T) {
	uid, gid, err := (&Service{User: "1000:2000"}).UserGroup()
	if uid != 1000 || gid != 2000 || err != nil {
		t.Errorf("UserGroup = %d, %d, %v", uid, gid, err)
	}
	for _, user := range []string{"", "1000", "a:1", "1:a"} {
		if _, _, err := (&Service{Name: "a", User: user}).UserGroup(); err == nil {
			t.Errorf("UserGroup of %q: no error", user)
		}
	}
}
