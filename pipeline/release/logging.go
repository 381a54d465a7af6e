package release

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	openapi "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	tiles "github.com/sigstore/rekor-tiles/v2/pkg/client/write"
	rekor "github.com/sigstore/rekor/pkg/generated/client"
	"github.com/sigstore/sigstore-go/pkg/sign"
)

// A logging is a log of signatures to write to, and its address for errors.
type logging struct {
	sign.Transparency
	Log
}

// newLog makes one client for all entries.
func newLog(ctx context.Context, log Log, pause time.Duration) (sign.Transparency, error) {
	// Whatever is zero the library fills in at each entry, and several are made at
	// a time.
	opts := &sign.RekorOptions{BaseURL: log.URL, Version: log.Version, Timeout: 30 * time.Second}
	where, err := url.Parse(log.URL)
	if err != nil {
		return nil, fmt.Errorf("the log %s: %w", log.URL, err)
	}
	if log.Version == 2 {
		opts.ClientV2, err = tiles.NewWriter(log.URL)
		if err != nil {
			return nil, fmt.Errorf("the log %s: %w", log.URL, err)
		}
		return logging{sign.NewRekor(opts), log}, nil
	}
	// Conflict is what it says where it has the entry, and the library asks for it.
	asked := asking{ctx: ctx, what: "the log", pause: pause, takes: http.StatusConflict}
	client := openapi.NewWithClient(where.Host, where.Path, []string{where.Scheme}, &http.Client{Transport: asked})
	client.SetDebug(false) // it would heed DEBUG, and tell all
	opts.Client = rekor.New(client, strfmt.Default).Entries
	return logging{sign.NewRekor(opts), log}, nil
}

func (l logging) GetTransparencyLogEntry(ctx context.Context, by []byte, b *protobundle.Bundle) error {
	err := l.Transparency.GetTransparencyLogEntry(ctx, by, b)
	if err == nil {
		return nil
	}
	return &logError{fmt.Errorf("logging the signature in %s: %w", l.URL, plain(err)), l.Version == 2 && !declined(err)}
}

// A logError means that an entry is not, or may not be, in a log.
type logError struct {
	error
	// again tells whether another entry may fare better.
	again bool
}

// declined tells whether a log of tiles will take no such entry, however often it
// is asked. The library has no error value for it.
func declined(err error) bool {
	_, status, _ := strings.Cut(err.Error(), "unexpected response: ")
	return strings.HasPrefix(status, "4") && !strings.HasPrefix(status, "408") && !strings.HasPrefix(status, "409") && !strings.HasPrefix(status, "429")
}
