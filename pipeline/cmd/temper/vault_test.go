package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"temper/pipeline/release/releasetest"
)

// vaults are those of the stories that run, by their folders.
var vaults sync.Map

// vault NAME KIND: opens a Vault, names it in the environment, makes a key in it
// and writes its public half to NAME.pub.
func openVault(ts *testscript.TestScript, _ bool, args []string) {
	made, ok := vaults.Load(ts.Getenv("WORK"))
	if !ok {
		v := releasetest.NewVault(teller{ts: ts})
		ts.Defer(v.Close)
		vaults.Store(ts.Getenv("WORK"), v)
		ts.Setenv("VAULT_ADDR", v.URL)
		ts.Setenv("VAULT_TOKEN", v.Token)
		made = v
	}
	der, err := x509.MarshalPKIXPublicKey(made.(*releasetest.Vault).Make(teller{ts: ts}, args[0], args[1]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644))
}

// vaulted PREFIX N: what the Vault was asked for since the last time, by a path
// that begins so, it was asked N times.
func askedVault(ts *testscript.TestScript, _ bool, args []string) {
	made, ok := vaults.Load(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("say vault NAME KIND first")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := 0
	asked := made.(*releasetest.Vault).Asked()
	for path, n := range asked {
		if strings.HasPrefix(path, "/v1/transit/"+args[0]) {
			got += n
		}
	}
	if got != want {
		ts.Fatalf("%s was asked %d times, want %d: %v", args[0], got, want, asked)
	}
}
