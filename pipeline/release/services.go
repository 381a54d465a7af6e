package release

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
)

// Services are those of a Sigstore that signing without a key takes.
type Services struct {
	// Authority issues certificates (Fulcio), by its address.
	Authority string
	// Logs take in what is signed (Rekor), each of them.
	Logs []Log
	// Timestamps are authorities for timestamps, each with its whole address.
	Timestamps []string
}

// A Log is a log of signatures.
type Log struct {
	URL string
	// Version is the major one of its interface: 1, or 2 for a log of tiles,
	// which proves that it holds an entry and not when it took it in. That takes
	// a timestamp, and a form of signatures that holds the proof: a bundle.
	Version uint32
}

// PublicGoodServices are those of Sigstore's public-good instance. What it signs
// the whole world can read: who signed, and the digest of what.
// https://docs.sigstore.dev/about/bug-reports/#public-good-instance
func PublicGoodServices() Services {
	return Services{Authority: "https://fulcio.sigstore.dev", Logs: []Log{{"https://rekor.sigstore.dev", 1}}}
}

// maxSigningConfig bounds what is read as a signing configuration.
const maxSigningConfig = 1 << 20

// LoadServices reads a signing configuration in Sigstore's format
// (signing_config.v0.2.json), as the operators of an instance hand it out, and
// chooses from it what is good now. Where it knows logs of several versions, the
// newest is chosen, or, if the format of signatures has the legacy form, the
// newest that can be used for it.
func LoadServices(path string, format Format) (Services, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Services{}, fmt.Errorf("there is no signing configuration %s", path)
	}
	if err != nil {
		return Services{}, fmt.Errorf("reading signing configuration: %w", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxSigningConfig+1))
	if err != nil {
		return Services{}, fmt.Errorf("reading signing configuration: %w", err)
	}
	if len(raw) > maxSigningConfig {
		return Services{}, fmt.Errorf("%s is too large for a signing configuration", path)
	}
	s, err := parseServices(raw, format, time.Now())
	if err != nil {
		return Services{}, fmt.Errorf("%s is no signing configuration to sign with: %w", path, err)
	}
	return s, nil
}

func parseServices(raw []byte, format Format, now time.Time) (Services, error) {
	config, err := root.NewSigningConfigFromJSON(raw)
	if err != nil {
		return Services{}, err
	}
	authority, err := root.SelectService(config.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, now)
	if err != nil {
		return Services{}, fmt.Errorf("certificate authorities: %w", err)
	}
	s := Services{Authority: authority.URL}
	if all := config.RekorLogURLs(); len(all) > 0 {
		var logs []root.Service
		err := errors.New("not asked for")
		if format.has(Legacy) {
			logs, err = root.SelectServices(all, config.RekorLogURLsConfig(), []uint32{1}, now)
		}
		if err != nil {
			logs, err = root.SelectServices(all, config.RekorLogURLsConfig(), sign.RekorAPIVersions, now)
		}
		if err != nil {
			return Services{}, fmt.Errorf("logs of signatures: %w", err)
		}
		for _, log := range logs {
			s.Logs = append(s.Logs, Log{log.URL, log.MajorAPIVersion})
		}
	}
	if all := config.TimestampAuthorityURLs(); len(all) > 0 {
		stamps, err := root.SelectServices(all, config.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now)
		if err != nil {
			return Services{}, fmt.Errorf("timestamp authorities: %w", err)
		}
		for _, one := range stamps {
			s.Timestamps = append(s.Timestamps, one.URL)
		}
	}
	return s, nil
}

// Legacy tells whether what is signed with them can be written in the legacy
// form: it holds the promise of a log, which those of tiles do not give.
func (s Services) Legacy() bool {
	return len(s.Logs) == 0 || slices.ContainsFunc(s.Logs, func(l Log) bool { return l.Version == 1 })
}

// known refuses services that make no signature which anybody could believe, or
// to which the token of an identity would go in the clear. Plain names the hosts
// that may be spoken to over plain HTTP, beside loopback.
func (s Services) known(plain []string) error {
	if s.Authority == "" {
		return errors.New("no certificate authority to ask for a certificate")
	}
	if len(s.Logs) == 0 && len(s.Timestamps) == 0 {
		return errors.New("no log and no timestamp authority: nothing would prove when it was signed, and certificates are good for minutes")
	}
	undated := true
	addresses := append([]string{s.Authority}, s.Timestamps...)
	for _, log := range s.Logs {
		if log.Version != 1 && log.Version != 2 {
			return fmt.Errorf("the log %s has version %d; known are 1 and 2", log.URL, log.Version)
		}
		undated = undated && log.Version == 2
		addresses = append(addresses, log.URL)
	}
	if undated && len(s.Timestamps) == 0 {
		return fmt.Errorf("the log %s (Rekor v2) does not prove when it took an entry in, so that it takes a timestamp authority too", s.Logs[0].URL)
	}
	for _, address := range addresses {
		if err := secure(address, plain); err != nil {
			return err
		}
	}
	return nil
}

// secure tells whether an address may be asked.
func secure(address string, plain []string) error {
	where, err := url.Parse(address)
	switch {
	case err != nil || where.Host == "" || where.Scheme != "https" && where.Scheme != "http":
		return fmt.Errorf("%q is no address of a service, such as https://fulcio.example.com", address)
	case where.User != nil:
		return errors.New("the address of a service holds a password")
	case where.Scheme == "https":
		return nil
	case slices.Contains(plain, where.Host):
		return CheckInsecure(where.Host)
	}
	if ip := net.ParseIP(where.Hostname()); ip != nil && ip.IsLoopback() || where.Hostname() == "localhost" {
		return nil
	}
	return fmt.Errorf("%s is asked in the clear; it takes https, for an identity token is as good as a password", address)
}
