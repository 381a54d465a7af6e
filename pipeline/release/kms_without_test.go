//go:build !kms

package release

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A temper without services says which key it was, and how to make one that knows
// them; of what is none it says so.
func TestLoadWithoutServices(t *testing.T) {
	for ref, want := range map[string]string{
		"awskms:///alias/orders":                    "awskms:///alias/orders is a key in AWS KMS, and this temper was built without services that hold keys; " + kmsBuild + " builds one that knows them",
		"azurekms://shop.vault.azure.net/orders":    "azurekms://shop.vault.azure.net/orders is a key in Azure Key Vault, ",
		"gcpkms://projects/shop/locations/global/k": "is a key in Google Cloud KMS, ",
		"hashivault://orders":                       "is a key in HashiCorp Vault, ",
		"openbao://orders":                          "is a key in OpenBao, ",
		"vault://orders":                            "vault://orders: a key is a file, env://NAME, or in a service (awskms://, azurekms://, gcpkms://, hashivault://, openbao://); this temper knows no vault://",
	} {
		_, sign := LoadSigner(context.Background(), ref, password(""))
		_, verify := LoadVerifier(context.Background(), ref)
		for what, err := range map[string]error{"to sign": sign, "to verify": verify} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v, want %q", ref, what, err, want)
			}
		}
		if diff := cmp.Diff(managed(ref) != "", strings.Contains(sign.Error(), kmsBuild)); diff != "" {
			t.Errorf("%s: whether it is a service's (-want +got):\n%s", ref, diff)
		}
	}
}
