package release

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sigstore/cosign/v2/pkg/providers"

	// The CI systems that hand out identity tokens, and what takes one from the
	// environment or a file by a name that all know. Those for Google's metadata
	// server, SPIFFE and Buildkite weigh megabytes, and have commands of their own.
	_ "github.com/sigstore/cosign/v2/pkg/providers/envvar"
	_ "github.com/sigstore/cosign/v2/pkg/providers/filesystem"
	_ "github.com/sigstore/cosign/v2/pkg/providers/github"

	"temper/checks/pattern"
)

// A TokenSource gives an identity token, a JWT that says who signs, each time
// that one is needed: they expire.
type TokenSource func(ctx context.Context) (string, error)

// ErrToken means that a token was given where the name of its place belongs.
// The error does not hold it.
var ErrToken = errors.New("that is an identity token itself, and arguments can be read by everybody on the machine; put it into a variable and name that, env://NAME, or into a file")

// maxToken bounds what is read as a token.
const maxToken = 64 << 10

var rawToken = pattern.New(`^\s*eyJ[\w-]*\.[\w-]+\.[\w-]*\s*$`)

// TokenIn returns the source of a token that is in a file, or in the environment
// as env://NAME.
func TokenIn(ref string) (TokenSource, error) {
	switch scheme, name, ok := strings.Cut(ref, "://"); {
	case rawToken().MatchString(ref):
		return nil, ErrToken
	case ref == "" || ok && name == "":
		return nil, errors.New("the name of an identity token is empty")
	case ok && scheme != "env":
		return nil, fmt.Errorf("%s: an identity token is in a file or in env://NAME", ref)
	case ok:
		return func(context.Context) (string, error) {
			value := strings.TrimSpace(os.Getenv(name))
			if value == "" {
				return "", fmt.Errorf("the environment has no %s", name)
			}
			return parsed(value, ref)
		}, nil
	}
	return func(context.Context) (string, error) {
		file, err := os.Open(ref)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("there is no file %s with an identity token", ref)
		}
		if err != nil {
			return "", fmt.Errorf("reading identity token: %w", err)
		}
		defer file.Close()
		raw, err := io.ReadAll(io.LimitReader(file, maxToken+1))
		if err != nil {
			return "", fmt.Errorf("reading identity token: %w", err)
		}
		return parsed(string(bytes.TrimSpace(raw)), ref)
	}, nil
}

// audience is whom a token is for, as every Sigstore has it.
const audience = "sigstore"

// AmbientToken returns the source of the token that the CI system gives: any that
// puts one into SIGSTORE_ID_TOKEN, as GitLab does, or into the file that cosign
// looks at, and GitHub Actions where the job has the permission id-token: write.
// Nil means that there is none.
func AmbientToken(ctx context.Context) TokenSource {
	if !providers.Enabled(ctx) {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		why := errors.New("it gave none")
		for _, one := range providers.Providers() {
			if !one.Provider.Enabled(ctx) {
				continue
			}
			token, err := one.Provider.Provide(ctx, audience)
			if token = strings.TrimSpace(token); err == nil && token != "" {
				return parsed(token, "what the CI system gave ("+one.Name+")")
			}
			if err != nil {
				why = fmt.Errorf("%s: %w", one.Name, plain(err))
			}
		}
		return "", fmt.Errorf("asking the CI system for an identity token: %w", why)
	}
}

// parsed returns the token if it is one. Whether it is true is for those to
// judge who get it.
func parsed(token, where string) (string, error) {
	if len(token) > maxToken {
		return "", fmt.Errorf("%s is too large for an identity token", where)
	}
	if _, err := claimed(token); err != nil {
		return "", fmt.Errorf("%s is no identity token (a JWT): %w", where, err)
	}
	return token, nil
}

// claimed reads until when a token says it is good, zero if it does not say. The
// errors hold nothing of it.
func claimed(token string) (expires time.Time, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, fmt.Errorf("it has %d parts, not 3", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, errors.New("its middle is not base64")
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(raw, &claims) != nil {
		return time.Time{}, errors.New("its middle is not JSON")
	}
	if claims.Expires == 0 {
		return time.Time{}, nil
	}
	return time.Unix(int64(claims.Expires), 0).UTC(), nil
}
