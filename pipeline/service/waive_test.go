package service

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The sources that the file speaks of are not there.
func TestReadWaivers(t *testing.T) {
	for _, tc := range []struct {
		config string
		want   []Waiver
		err    string
	}{
		{config: "base: nothing at all\nservices: [{name: orders, dir: away}]\nwaive: [{rule: shell, subject: orders, reason: r, expires: 2027-03-01}]\n",
			want: []Waiver{{"shell", "orders", "r", "2027-03-01"}}},
		{config: "waive: [{rule: shell, subject: any, reason: r, expires: 2027-03-01}]\n",
			want: []Waiver{{"shell", "any", "r", "2027-03-01"}}},
		{config: "services: [{name: orders}]\n"},
		{config: "waives: []\n", err: `temper.yaml:1:1: unknown key "waives"; did you mean "waive"?`},
		{config: "services: [{name: orders}]\nwaive: [{rule: shelll, subject: ordes, reason: r, expires: 2027-03-01}]\n",
			err: "temper.yaml:2:16: rule: there is no rule \"shelll\"; did you mean \"shell\"?\n" +
				"temper.yaml:2:33: subject: no service is named \"ordes\"; did you mean \"orders\"?"},
		{config: "waive: [{rule: shell, subject: any}]\n", err: "temper.yaml:1:9: a waiver needs reason, as in " + waiverExample +
			"\ntemper.yaml:1:9: a waiver needs expires, as in " + waiverExample},
	} {
		file := filepath.Join(t.TempDir(), ConfigName)
		write(t, file, tc.config)
		got, err := ReadWaivers(file, "shell", "static")
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("waivers of %s (-want +got):\n%s", tc.config, diff)
		}
		said := ""
		if err != nil {
			said = err.Error()
		}
		if diff := cmp.Diff(tc.err, said); diff != "" {
			t.Errorf("error of %s (-want +got):\n%s", tc.config, diff)
		}
	}
	if _, err := ReadWaivers(filepath.Join(t.TempDir(), ConfigName)); err == nil {
		t.Error("a file that is not there: no error")
	}
}
