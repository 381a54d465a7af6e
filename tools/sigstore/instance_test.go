package sigstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An instance is a whole Sigstore of real servers, in a folder that holds its
// trusted root and its signing configuration.
type instance struct {
	*issuer
	dir string
	// The addresses of the servers; Log is of version 1, Tiles of 2.
	Fulcio, Timestamps, Log, Tiles string
	stops                          []func()
}

// tilesName is what the log of tiles calls itself in what it signs, and so its
// address in the trusted root.
const tilesName = "tiles.localhost"

// newInstance starts the servers.
func newInstance(t *testing.T) *instance {
	t.Helper()
	i := &instance{issuer: newIssuer(t), dir: t.TempDir()}
	port := free(t, 9)
	at := func(port string) string { return "http://127.0.0.1:" + port }
	i.Fulcio, i.Timestamps, i.Log, i.Tiles = at(port[0]), at(port[1]), at(port[2]), at(port[3])

	i.write(t, "fulcio.yaml", fmt.Appendf(nil, "oidc-issuers:\n  %s:\n    issuer-url: %s\n    client-id: sigstore\n    type: email\n", i.URL, i.URL))
	// A path of a socket has a hundred characters at most.
	sockets, err := os.MkdirTemp("", "sockets")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	i.stops = append(i.stops, start(t, fulcio, i.Fulcio+"/healthz", "serve", "--host=127.0.0.1", "--port="+port[0],
		"--grpc-host=127.0.0.1", "--grpc-port="+port[4], "--metrics-port="+port[5], "--legacy-unix-domain-socket="+filepath.Join(sockets, "fulcio"),
		"--ca=ephemeralca", "--ct-log-url=", "--config-path="+i.path("fulcio.yaml")))
	i.stops = append(i.stops, start(t, timestamps, i.Timestamps+"/ping", "serve", "--host=127.0.0.1", "--port="+port[1],
		"--timestamp-signer=memory", "--disable-ntp-monitoring"))

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	i.write(t, "tiles.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	i.stops = append(i.stops, start(t, rekorTiles, i.Tiles+"/healthz", "serve", "--http-port="+port[3], "--grpc-port="+port[6], "--http-metrics-port="+port[7],
		"--storage-dir="+i.path("tiles"), "--signer-filepath="+i.path("tiles.key"), "--hostname="+tilesName,
		"--checkpoint-interval=200ms", "--batch-max-age=50ms"))

	trillian := serveTrillian(t)
	i.stops = append(i.stops, start(t, rekor, i.Log+"/api/v1/log", "serve", "--host=127.0.0.1", "--rekor_server.address=127.0.0.1", "--port="+port[2],
		"--rekor_server.hostname=rekor.localhost", "--rekor_server.signer=memory",
		"--trillian_log_server.address=127.0.0.1", fmt.Sprintf("--trillian_log_server.port=%d", trillian.Port),
		// Its index of who signed what wants a database.
		"--enable_retrieve_api=false", "--enabled_api_endpoints=getLogInfo,getPublicKey,getLogProof,createLogEntry,getLogEntryByIndex,getLogEntryByUUID,searchLogQuery"))

	i.write(t, "root.json", i.trustedRoot(t, key))
	i.write(t, "config.json", i.signingConfig(t))
	return i
}

// stop stops all servers, so that to verify nobody can be asked.
func (i *instance) stop() {
	for _, stop := range i.stops {
		stop()
	}
	i.Close()
}

func (i *instance) path(file string) string { return filepath.Join(i.dir, file) }

func (i *instance) write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(i.path(file), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

type object = map[string]any

// since is when the servers may be believed: they were made just now, and
// certificates have whole seconds.
func since() object { return object{"start": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)} }

// trustedRoot is what an operator would hand out, from what the servers say of
// themselves; the log of tiles does not tell its key.
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
func (i *instance) trustedRoot(t *testing.T, tiles *ecdsa.PrivateKey) []byte {
	t.Helper()
	var bundle struct {
		Chains []struct{ Certificates []string }
	}
	if err := json.Unmarshal(get(t, i.Fulcio+"/api/v2/trustBundle"), &bundle); err != nil || len(bundle.Chains) != 1 {
		t.Fatalf("the authority's certificates: %v, %v", bundle, err)
	}
	var authority []byte
	for _, one := range bundle.Chains[0].Certificates {
		authority = append(authority, one+"\n"...)
	}
	public, err := x509.MarshalPKIXPublicKey(tiles.Public())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(get(t, i.Log+"/api/v1/log/publicKey"))
	if block == nil {
		t.Fatal("the log has no public key")
	}
	log := func(address string, der []byte) object {
		id := sha256.Sum256(der)
		return object{
			"baseUrl": address, "hashAlgorithm": "SHA2_256", "logId": object{"keyId": id[:]},
			"publicKey": object{"rawBytes": der, "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since()},
		}
	}
	return encode(t, object{
		"mediaType":              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":                  []any{log("https://rekor.localhost", block.Bytes), log("https://"+tilesName, public)},
		"certificateAuthorities": []any{believed(t, authority)},
		"timestampAuthorities":   []any{believed(t, get(t, i.Timestamps+"/api/v1/timestamp/certchain"))},
	})
}

// believed are the certificates of an authority.
func believed(t *testing.T, chain []byte) object {
	t.Helper()
	var certificates []any
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		certificates = append(certificates, object{"rawBytes": block.Bytes})
	}
	if len(certificates) == 0 {
		t.Fatalf("an authority without certificates: %q", chain)
	}
	return object{
		"subject": object{"organization": "localhost", "commonName": "authority"}, "uri": "https://authority.localhost",
		"certChain": object{"certificates": certificates}, "validFor": since(),
	}
}

// signingConfig names the servers for those who sign. Of the two logs clients take
// the newer.
func (i *instance) signingConfig(t *testing.T) []byte {
	t.Helper()
	service := func(address string, version int) object {
		return object{"url": address, "majorApiVersion": version, "operator": "localhost", "validFor": since()}
	}
	return encode(t, object{
		"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
		"caUrls":    []any{service(i.Fulcio, 1)}, "oidcUrls": []any{service(i.URL, 1)},
		"rekorTlogUrls": []any{service(i.Log, 1), service(i.Tiles, 2)}, "rekorTlogConfig": object{"selector": "ANY"},
		"tsaUrls": []any{service(i.Timestamps+"/api/v1/timestamp", 1)}, "tsaConfig": object{"selector": "ANY"},
	})
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
