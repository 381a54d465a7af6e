package images

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"sync"

	"temper/checks/pattern"
)

// A credential is a form that leaves no doubt: a needle, and what has to follow.
type credential struct {
	what   string
	needle string
	// rest is matched to what begins with the needle; nothing that could belong
	// to the same word may stand before or after the match.
	rest func() *regexp.Regexp
	// judge looks at more than the word, if it is set, in place of rest.
	judge func(text []byte, at int) bool
}

// The forms are those that the issuers document or GitHub's secret scanning
// knows them by.
// https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns
var credentials = []credential{
	{what: "a private key", needle: pemNeedle, judge: isPrivateKey},
	{what: "a private key", needle: pemNeedle64, judge: isEncodedKey},
	{what: "a PuTTY private key", needle: "PuTTY-User-Key-File-", judge: isPuTTYKey},
	{what: "an age secret key", needle: "AGE-SECRET-KEY-1", rest: word(`[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}`)},
	{what: "an AWS access key with its secret", needle: "AKIA", judge: isAWSKey},
	{what: "an AWS session key with its secret", needle: "ASIA", judge: isAWSKey},
	{what: "a GitHub token", needle: "ghp_", rest: word(`[0-9A-Za-z]{36}`)},
	{what: "a GitHub token", needle: "gho_", rest: word(`[0-9A-Za-z]{36}`)},
	{what: "a GitHub token", needle: "ghu_", rest: word(`[0-9A-Za-z]{36}`)},
	{what: "a GitHub token", needle: "ghs_", rest: word(`[0-9A-Za-z]{36,}`)},
	{what: "a GitHub token", needle: "ghr_", rest: word(`[0-9A-Za-z]{36,}`)},
	{what: "a GitHub token", needle: "github_pat_", rest: word(`[0-9A-Za-z]{22}_[0-9A-Za-z]{59}`)},
	{what: "a GitLab token", needle: "glpat-", rest: word(`[0-9A-Za-z_-]{20,}`)},
	{what: "a GitLab token", needle: "glrt-", rest: word(`[0-9A-Za-z_-]{20,}`)},
	{what: "a GitLab token", needle: "gldt-", rest: word(`[0-9A-Za-z_-]{20,}`)},
	{what: "a GitLab token", needle: "glptt-", rest: word(`[0-9a-f]{40}`)},
	{what: "a Slack token", needle: "xoxb-", rest: word(`[0-9]{10,13}-[0-9A-Za-z-]{20,}`)},
	{what: "a Slack token", needle: "xoxp-", rest: word(`[0-9]{10,13}-[0-9A-Za-z-]{20,}`)},
	{what: "a Slack token", needle: "xapp-", rest: word(`[0-9]-[0-9A-Z]+-[0-9]+-[0-9a-f]{40,}`)},
	{what: "a Slack webhook", needle: "hooks.slack.com/services/T", rest: word(`[0-9A-Z]{8,}/B[0-9A-Z]{8,}/[0-9A-Za-z]{24}`)},
	{what: "an npm token", needle: "npm_", rest: word(`[0-9A-Za-z]{36}`)},
	{what: "an npm token", needle: ":_authToken=", rest: pattern.New(`^"?[0-9A-Za-z][0-9A-Za-z._=+/-]{15,}`)},
	{what: "a Stripe key", needle: "sk_live_", rest: word(`[0-9A-Za-z]{24,}`)},
	{what: "a Stripe key", needle: "rk_live_", rest: word(`[0-9A-Za-z]{24,}`)},
	{what: "a Docker Hub token", needle: "dckr_pat_", rest: word(`[0-9A-Za-z_-]{27}`)},
	{what: "a registry's password", needle: `"auths"`, judge: isDockerConfig},
	{what: "a PyPI token", needle: "pypi-AgEIcHlwaS5vcmc", rest: word(`[0-9A-Za-z_-]{50,}`)},
	{what: "a Vault token", needle: "hvs.", rest: word(`[0-9A-Za-z_-]{90,}`)},
	{what: "a Vault token", needle: "hvb.", rest: word(`[0-9A-Za-z_-]{90,}`)},
	{what: "a Terraform token", needle: ".atlasv1.", rest: word(`[0-9A-Za-z_=-]{60,70}`)},
	{what: "a Pulumi token", needle: "pul-", rest: word(`[0-9a-f]{40}`)},
	{what: "a Doppler token", needle: "dp.st.", rest: word(`[0-9a-z_-]+\.[0-9A-Za-z]{40,44}`)},
	{what: "a Grafana token", needle: "glsa_", rest: word(`[0-9A-Za-z]{32}_[0-9a-fA-F]{8}`)},
	{what: "a Sentry token", needle: "sntrys_eyJ", rest: word(`[0-9A-Za-z+/=]{30,}_[0-9A-Za-z+/]{40,}`)},
	{what: "a Tailscale key", needle: "tskey-auth-", rest: word(`[0-9A-Za-z]+-[0-9A-Za-z]{20,}`)},
	{what: "a RubyGems key", needle: "rubygems_", rest: word(`[0-9a-f]{48}`)},
	{what: "a Shopify token", needle: "shpat_", rest: word(`[0-9a-fA-F]{32}`)},
	{what: "a Postman key", needle: "PMAK-", rest: word(`[0-9a-f]{24}-[0-9a-f]{34}`)},
	{what: "a Supabase token", needle: "sbp_", rest: word(`[0-9a-f]{40}`)},
	{what: "an Atlassian token", needle: "ATATT3xFfGF0", rest: word(`[0-9A-Za-z_=-]{100,}`)},
	{what: "a Databricks token", needle: "dapi", rest: word(`[0-9a-f]{32}(?:-[0-9])?`)},
	{what: "an Azure storage key", needle: "AccountKey=", judge: isAzureKey},
	{what: "a DigitalOcean token", needle: "dop_v1_", rest: word(`[0-9a-f]{64}`)},
	{what: "an Anthropic key", needle: "sk-ant-api", rest: word(`[0-9]{2}-[0-9A-Za-z_-]{80,}`)},
	{what: "an OpenAI key", needle: "sk-proj-", rest: word(`[0-9A-Za-z_-]{40,}`)},
	{what: "a password of .netrc", needle: "password", judge: isNetrc},
}

const (
	pemNeedle = "-----BEGIN "
	// pemNeedle64 is what it is in base 64, as in a Secret of Kubernetes and a
	// kubeconfig.
	pemNeedle64 = "LS0tLS1CRUdJTi"
)

// word matches from the needle's end to the end of the word.
func word(rest string) func() *regexp.Regexp { return pattern.New(`^(?:` + rest + `)`) }

var credentialNeedles = sync.OnceValue(func() *needles {
	var list []string
	for _, c := range credentials {
		list = append(list, c.needle)
	}
	return newNeedles(list)
})

// A secretFinder collects what is found in one file or text.
type secretFinder struct {
	// netrc tells that the file is named as one of curl's.
	netrc bool
	found map[string]int
	order []string
	// certificate tells that there is one in PEM, which is no secret.
	certificate bool
}

// maxWord is how far a credential that is one word is followed.
const maxWord = 512

// credential is what a scanner for credentialNeedles calls.
func (f *secretFinder) credential(needle, at int, text []byte) {
	c := &credentials[needle]
	if c.needle == pemNeedle && certBegin().Match(text[at:min(len(text), at+80)]) {
		f.certificate = true
	}
	if c.needle == "password" && !f.netrc {
		return
	}
	if c.judge != nil {
		if c.judge(text, at) {
			f.add(c.what)
		}
		return
	}
	after := text[at+len(c.needle):]
	after = after[:min(len(after), maxWord)]
	m := c.rest().Find(after)
	if m == nil || len(m) < len(after) && wordByte(after[len(m)]) || at > 0 && wordByte(text[at-1]) && wordByte(c.needle[0]) {
		return
	}
	if !placeholder(string(m)) {
		f.add(c.what)
	}
}

func (f *secretFinder) add(what string) {
	if f.found == nil {
		f.found = make(map[string]int)
	}
	if f.found[what]++; f.found[what] == 1 {
		f.order = append(f.order, what)
	}
}

// all says what was found, and never what it is.
func (f *secretFinder) all() []string {
	var all []string
	for _, what := range f.order {
		if n := f.found[what]; n > 1 {
			all = append(all, fmt.Sprintf("it holds %s, and %d more", what, n-1))
		} else {
			all = append(all, "it holds "+what)
		}
	}
	return all
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// placeholder tells what a person typed to show the form: a word, one character
// again and again, or a run along the alphabet. Chance makes none of them once
// in a million.
func placeholder(s string) bool {
	upper := strings.ToUpper(s)
	for _, word := range []string{"EXAMPLE", "PLACEHOLDER", "YOUR_", "YOUR-", "YOURTOKEN", "XXXXX", "REDACTED", "CHANGEME"} {
		if strings.Contains(upper, word) {
			return true
		}
	}
	same, run := 1, 1
	for i := 1; i < len(s); i++ {
		same, run = same+1, run+1
		if s[i] != s[i-1] {
			same = 1
		}
		if s[i] != s[i-1]+1 {
			run = 1
		}
		if same == 6 || run == 6 {
			return true
		}
	}
	return false
}

var (
	pemBegin   = pattern.New(`^-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----`)
	certBegin  = pattern.New(`^-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----`)
	pemHeader  = pattern.New(`(?m)^[ \t]*[A-Za-z][A-Za-z-]*: .*$`)
	pgpSum     = pattern.New(`\n[ \t]*=[0-9A-Za-z+/]{4}\s*$`)
	lineBreaks = strings.NewReplacer(`\r`, "\n", `\n`, "\n", "\r", "\n")
	spaces     = strings.NewReplacer(`" +`, "", "\n", "", " ", "", "\t", "", `"`, "", `\`, "", "'", "", ",", "", ">", "", "#", "")
)

// isPrivateKey looks at a PEM block, which may stand in JSON or YAML. Its body
// has to be what its label says.
func isPrivateKey(text []byte, at int) bool {
	m := pemBegin().FindSubmatch(text[at:min(len(text), at+80)])
	if m == nil {
		return false
	}
	label, rest := string(m[1]), text[at+len(m[0]):]
	rest = rest[:min(len(rest), scanAfter-80)]
	end := bytes.Index(rest, []byte("-----END "+label))
	if end < 0 {
		return false
	}
	body := lineBreaks.Replace(string(rest[:end]))
	encrypted := strings.Contains(body, "Proc-Type: 4,ENCRYPTED")
	body = pgpSum().ReplaceAllString(pemHeader().ReplaceAllString(body, ""), "")
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(spaces.Replace(body), "="))
	switch {
	case err != nil || len(der) < 32:
		return false
	case encrypted:
		return true
	case strings.HasPrefix(label, "OPENSSH"):
		return bytes.HasPrefix(der, []byte("openssh-key-v1\x00"))
	case strings.HasPrefix(label, "PGP"):
		return der[0]&0x80 != 0
	case strings.HasPrefix(label, "NEBULA"): // bare keys of Curve25519
		return len(der) == 32 || len(der) == 64
	case strings.HasPrefix(label, "ENCRYPTED SIGSTORE"), strings.HasPrefix(label, "ENCRYPTED COSIGN"):
		return der[0] == '{' && bytes.Contains(der, []byte(`"kdf"`))
	}
	var v asn1.RawValue
	tail, err := asn1.Unmarshal(der, &v)
	return err == nil && len(tail) == 0 && v.Class == asn1.ClassUniversal && v.Tag == asn1.TagSequence && v.IsCompound
}

// maxKey is more than the DER of an RSA key of 16384 bits has.
const maxKey = 16 << 10

// isBinaryKey tells whether a file is a private key in DER: PKCS #8, PKCS #1 or
// SEC 1. Only its form is looked at, for to prove a key takes long.
func isBinaryKey(raw []byte) bool {
	var pkcs8 struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	var pkcs1 struct {
		Version       int
		N, E, D, P, Q *big.Int
	}
	var sec1 struct {
		Version int
		Key     []byte
		Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
	}
	whole := func(v any) bool {
		rest, err := asn1.Unmarshal(raw, v)
		return err == nil && len(rest) == 0
	}
	return whole(&pkcs8) && pkcs8.Version <= 1 && len(pkcs8.Key) >= 32 ||
		whole(&pkcs1) && pkcs1.Version <= 1 && pkcs1.N.BitLen() >= 512 && pkcs1.D.Sign() > 0 ||
		whole(&sec1) && sec1.Version == 1 && len(sec1.Key) >= 16
}

var base64Run = pattern.New(`^[0-9A-Za-z+/]+`)

// isEncodedKey looks at a PEM block that is encoded once more, in one line or
// folded.
func isEncodedKey(text []byte, at int) bool {
	if at > 0 && wordByte(text[at-1]) {
		return false
	}
	run := text[at:min(len(text), at+scanAfter)]
	if whole := base64Run().Find(run); len(whole) > 80 {
		run = whole
	} else {
		run = base64Run().Find([]byte(spaces.Replace(string(run))))
	}
	raw, err := base64.StdEncoding.DecodeString(string(run[:len(run)/4*4]))
	return err == nil && isPrivateKey(raw, 0)
}

var azureKey = pattern.New(`^AccountKey=([0-9A-Za-z+/]{86}==)`)

// isAzureKey knows the key of Azure's emulator, which is in its documentation.
// https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
func isAzureKey(text []byte, at int) bool {
	m := azureKey().FindSubmatch(text[at:min(len(text), at+maxWord)])
	return m != nil && !bytes.HasPrefix(m[1], []byte("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6")) && !placeholder(string(m[1]))
}

var puttyKey = pattern.New(`^PuTTY-User-Key-File-[0-9]+: [!-~]+\r?\n(?s:.*?)\nPrivate-Lines: [0-9]+\r?\n[0-9A-Za-z+/=]{32,}`)

func isPuTTYKey(text []byte, at int) bool {
	return puttyKey().Match(text[at:min(len(text), at+scanAfter)])
}

var (
	awsID     = pattern.New(`^A[KS]IA[A-Z2-7]{16}`)
	awsSecret = pattern.New(`[0-9A-Za-z/+]{40,}`)
)

// isAWSKey wants the secret near the id, which is none by itself.
func isAWSKey(text []byte, at int) bool {
	id := awsID().Find(text[at:])
	if id == nil || placeholder(string(id)) || at > 0 && wordByte(text[at-1]) || len(text) > at+20 && wordByte(text[at+20]) {
		return false
	}
	near := text[max(0, at-scanBefore):min(len(text), at+maxWord)]
	for _, s := range awsSecret().FindAll(near, -1) {
		// Forty hexadecimal digits are a hash.
		if len(s) == 40 && !placeholder(string(s)) && strings.Trim(string(s), "0123456789abcdef") != "" && strings.ContainsAny(string(s), "0123456789") {
			return true
		}
	}
	return false
}

var dockerAuth = pattern.New(`"auth"\s*:\s*"([0-9A-Za-z+/]{8,}=*)"`)

// isDockerConfig looks for the passwords of a config.json of Docker's, which has
// them near its beginning. What speaks of one in the middle is documentation.
func isDockerConfig(text []byte, at int) bool {
	if at >= scanBefore || !bytes.HasPrefix(bytes.TrimSpace(text[:at]), []byte("{")) {
		return false
	}
	for _, m := range dockerAuth().FindAllSubmatch(text[at:], -1) {
		raw, err := base64.StdEncoding.DecodeString(string(m[1]))
		user, password, found := strings.Cut(string(raw), ":")
		if err == nil && found && user != "" && password != "" && !placeholder(password) {
			return true
		}
	}
	return false
}

var netrcEntry = pattern.New(`machine\s+\S+\s+(?:login\s+\S+\s+)?$`)

func isNetrc(text []byte, at int) bool {
	after := strings.Fields(string(text[at:min(len(text), at+maxWord)]))
	return netrcEntry().Match(text[max(0, at-scanBefore):at]) && len(after) > 1 && after[0] == "password" && !placeholder(after[1])
}
