package images

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// secretText replaces {pkcs8} and its like by keys that are made here, and {.}
// by nothing, so that no key and no token stands in testdata. With a "j" before
// the name the key is as JSON writes it, with a "y" as YAML does, with a "b" in
// base 64, with "bf" folded as well, and with a "q" quoted as in a mail.
func secretText(t *testing.T, text []byte) []byte {
	t.Helper()
	if !bytes.Contains(text, []byte("{")) {
		return text
	}
	var pairs []string
	for name, block := range testKeys(t) {
		quoted := strconv.Quote(block)
		pairs = append(pairs, "{"+name+"}", block,
			"{j"+name+"}", quoted[1:len(quoted)-1],
			"{y"+name+"}", strings.ReplaceAll(block, "\n", "\n    "),
			"{b"+name+"}", base64.StdEncoding.EncodeToString([]byte(block)),
			"{bf"+name+"}", folded(base64.StdEncoding.EncodeToString([]byte(block))),
			"{q"+name+"}", strings.ReplaceAll(block, "\n", "\n> "))
	}
	return []byte(strings.NewReplacer(append(pairs, "{.}", "")...).Replace(string(text)))
}

// folded breaks a line every 70 characters.
func folded(line string) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(line), 70) {
		b.Write(part)
		b.WriteString("\n  ")
	}
	return b.String()
}

func testKeys(t *testing.T) map[string]string {
	t.Helper()
	keys, err := makeKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

var makeKeys = sync.OnceValues(func() (map[string]string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ec, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		return nil, err
	}
	big1, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return nil, err
	}
	noise := make([]byte, 200)
	rand.Read(noise)
	encode := func(label string, body []byte, headers map[string]string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: body, Headers: headers}))
	}
	openssh := append([]byte("openssh-key-v1\x00"), noise...)
	return map[string]string{
		"pkcs8":     encode("PRIVATE KEY", pkcs8, nil),
		"sec1":      encode("EC PRIVATE KEY", ec, nil),
		"pkcs1":     encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(big1), nil),
		"encrypted": encode("RSA PRIVATE KEY", noise, map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}),
		"openssh":   encode("OPENSSH PRIVATE KEY", openssh, nil),
		"sigstore":  encode("ENCRYPTED SIGSTORE PRIVATE KEY", []byte(`{"kdf":{"name":"scrypt","params":{"N":65536}},"ciphertext":""}`), nil),
		"pgp":       strings.Replace(encode("PGP PRIVATE KEY BLOCK", append([]byte{0x95}, noise...), map[string]string{"Version": "1"}), "\n-----END", "\n=AbCd\n-----END", 1),
		"public":    encode("PUBLIC KEY", pkix, nil),
		"cert":      encode("CERTIFICATE", cert, nil),
		"testing":   encode("TESTING KEY", pkcs8, nil),
		"noise":     base64.StdEncoding.EncodeToString(noise),
		"auth":      base64.StdEncoding.EncodeToString([]byte("robot:" + base64.StdEncoding.EncodeToString(noise[:9]))),
		"noauth":    base64.StdEncoding.EncodeToString([]byte("<user>:<EXAMPLE>")),
	}, nil
})

// What follows a needle is compiled when one is found, which may be at nobody's
// place but a user's.
func TestCredentialsAreWellFormed(t *testing.T) {
	for _, c := range credentials {
		if c.rest != nil && c.rest().MatchString("") {
			t.Errorf("%s is found where nothing follows %q", c.what, c.needle)
		}
		if (c.rest == nil) == (c.judge == nil) {
			t.Errorf("%s has both an expression and a judge, or neither", c.what)
		}
	}
}

// A finding is read by more people than the secret.
func TestSecretsAreNotPrinted(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1B2c3", 6)
	f := &secretFinder{}
	s := newScanner(credentialNeedles(), f.credential)
	s.Write([]byte("token: " + token))
	s.Flush()
	s.Close()
	if said := strings.Join(f.all(), "\n"); said != "it holds a GitHub token" {
		t.Errorf("the finding is %q", said)
	}
}

// A key of 16384 bits fits what a judge is shown.
func TestLargestKeyFits(t *testing.T) {
	der := make([]byte, 9500)
	rand.Read(der)
	copy(der, []byte{0x30, 0x82, byte((len(der) - 4) >> 8), byte((len(der) - 4) & 0xff)})
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der})
	text := append(bytes.Repeat([]byte("."), scanWindow-500), key...)
	if e := readBytes(t, "data", append(text, bytes.Repeat([]byte("."), scanWindow)...)); len(e.secrets) != 1 {
		t.Errorf("secrets = %q", e.secrets)
	}
}

// The bytes of Go programs, random ones and this machine's roots hold nothing.
func TestNoSecretsInHonestFiles(t *testing.T) {
	noise := make([]byte, 8<<20)
	rand.Read(noise)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"random":    noise,
		"base64":    []byte(base64.StdEncoding.EncodeToString(noise)),
		"base64url": []byte(base64.RawURLEncoding.EncodeToString(noise)),
		"this test": raw,
		"as data":   append([]byte("data"), raw...),
	} {
		if e := readBytes(t, name, content); len(e.secrets) > 0 {
			t.Errorf("%s: %q", name, e.secrets)
		}
	}
}

func BenchmarkSecrets(b *testing.B) {
	noise := make([]byte, 20<<20)
	rand.Read(noise)
	text := []byte(base64.StdEncoding.EncodeToString(noise))[:20<<20]
	for name, raw := range map[string][]byte{"random": noise, "text": text} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				f := &secretFinder{}
				s := newScanner(credentialNeedles(), f.credential)
				s.Write(raw)
				s.Flush()
				s.Close()
			}
		})
	}
}

// A key need not be text, and what begins like one need not be a key.
func TestBinaryKeys(t *testing.T) {
	for name, label := range map[string]string{"pkcs8": "PRIVATE KEY", "pkcs1": "RSA PRIVATE KEY", "sec1": "EC PRIVATE KEY"} {
		block, _ := pem.Decode([]byte(testKeys(t)[name]))
		if block == nil || block.Type != label {
			t.Fatalf("%s is no %s", name, label)
		}
		if e := readBytes(t, "etc/key", block.Bytes); !slices.Contains(e.secrets, "it holds a private key") {
			t.Errorf("%s in DER: found %q", name, e.secrets)
		}
		if e := readBytes(t, "etc/key", append(block.Bytes, 0)); len(e.secrets) > 0 {
			t.Errorf("%s and more: found %q", name, e.secrets)
		}
	}
	block, _ := pem.Decode([]byte(testKeys(t)["cert"]))
	if block == nil {
		t.Fatal("there is no certificate")
	}
	if e := readBytes(t, "etc/cert", block.Bytes); len(e.secrets) > 0 {
		t.Errorf("a certificate: found %q", e.secrets)
	}
}
