package releasetest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/rekor-tiles/v2/pkg/types/hashedrekord"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/encoding/protojson"
)

// tilesOrigin is what the log of tiles calls itself in what it signs.
const tilesOrigin = "tiles.localhost"

// tile takes an entry into a log of version 2, which promises nothing and proves
// that it holds the entry: here, as its only one.
// https://github.com/sigstore/rekor-tiles/blob/v2.3.0/CLIENTS.md
func (s *Sigstore) tile(t testing.TB, request *rekortiles.HashedRekordRequestV002) *protorekor.TransparencyLogEntry {
	t.Helper()
	algorithms := must(signature.NewAlgorithmRegistryConfig([]protocommon.PublicKeyDetails{protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256}))(t)
	body := canonical(t, must(protojson.Marshal(must(hashedrekord.ToLogEntry(request, algorithms))(t)))(t))
	leaf := sha256.Sum256(append([]byte{0}, body...))

	text := fmt.Sprintf("%s\n%d\n%s\n", tilesOrigin, 1, base64.StdEncoding.EncodeToString(leaf[:]))
	key := must(signature.LoadECDSASignerVerifier(s.tiles, crypto.SHA256))(t)
	signer := must(rekornote.NewNoteSigner(context.Background(), tilesOrigin, key))(t)
	checkpoint := must(note.Sign(&note.Note{Text: text}, signer))(t)
	return &protorekor.TransparencyLogEntry{
		LogId:       &protocommon.LogId{KeyId: keyID(t, s.tiles.Public())},
		KindVersion: &protorekor.KindVersion{Kind: "hashedrekord", Version: "0.0.2"},
		InclusionProof: &protorekor.InclusionProof{
			TreeSize: 1, RootHash: leaf[:], Checkpoint: &protorekor.Checkpoint{Envelope: string(checkpoint)},
		},
		CanonicalizedBody: body,
	}
}

// canonical writes JSON as RFC 8785 has it. There are no numbers in what is
// given here, and no characters but those that need no care.
func canonical(t testing.TB, raw []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(out.Bytes())
}
