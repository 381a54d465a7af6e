package main

import (
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
)

// credentials log in to the registries that the command line names with
// TEMPER_REGISTRY_USERNAME and TEMPER_REGISTRY_PASSWORD, where both are set, and
// for anything else as docker does: its configuration and helpers. In a
// container there is often no docker configuration, and a secret variable is
// easier to hand in than a file.
type credentials struct{ registries []string }

func (c credentials) Resolve(r authn.Resource) (authn.Authenticator, error) {
	username, password := os.Getenv("TEMPER_REGISTRY_USERNAME"), os.Getenv("TEMPER_REGISTRY_PASSWORD")
	if username == "" || password == "" {
		return authn.DefaultKeychain.Resolve(r)
	}
	for _, registry := range c.registries {
		if r.RegistryStr() == registry {
			return &authn.Basic{Username: username, Password: password}, nil
		}
	}
	return authn.DefaultKeychain.Resolve(r)
}
