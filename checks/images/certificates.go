package images

import (
	"path"
	"strings"

	"temper/checks"
)

var caCertificates = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "ca-certificates",
		Severity: checks.Warning,
		Source:   "https://pkg.go.dev/crypto/x509#SystemCertPool",
		Doc: `the image holds root certificates where Go looks for them

Without them every TLS call of the service ends in "certificate signed by
unknown authority", and the usual cure is InsecureSkipVerify. It is a warning: a
service that calls nobody needs none.

Use a base that has them, such as Temper's own or distroless; or import
golang.org/x/crypto/x509roots/fallback, which puts them into the binary.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		files, dirs := certFiles, certDirectories
		for _, e := range img.Config.Config.Env {
			switch key, value, _ := strings.Cut(e, "="); {
			case value == "":
			case key == "SSL_CERT_FILE":
				files = []string{value}
			case key == "SSL_CERT_DIR":
				dirs = strings.Split(value, ":")
			}
		}
		for _, name := range files {
			if e, _ := img.tree.walk(name); e != nil && e.certificate {
				return nil
			}
		}
		for _, dir := range dirs {
			if img.certificateIn(dir) {
				return nil
			}
		}
		if e := img.Entrypoint; e != nil && e.Facts != nil && e.Facts.Go != nil {
			for _, m := range e.Facts.Go.Deps {
				if m.Path == "golang.org/x/crypto/x509roots/fallback" {
					return nil
				}
			}
		}
		p.Reportf("layers", "no file where Go looks for root certificates holds one")
		return nil
	},
}

// certificateIn tells whether a folder that is no link holds a certificate, in
// a file or behind a link.
func (img *Image) certificateIn(dir string) bool {
	dir = path.Clean("/" + dir)[1:]
	for name := range img.tree.top {
		if path.Dir(name) != dir {
			continue
		}
		if e, _ := img.tree.walk("/" + name); e != nil && e.certificate {
			return true
		}
	}
	return false
}

// Where crypto/x509 looks on Linux, unless SSL_CERT_FILE and SSL_CERT_DIR say
// otherwise.
// https://github.com/golang/go/blob/go1.26.0/src/crypto/x509/root_linux.go
var (
	certFiles = []string{
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem",
	}
	certDirectories = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}
)
