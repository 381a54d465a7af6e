package releasetest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/digitorus/timestamp"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

func (d *Services) log(w http.ResponseWriter, body []byte) {
	t := bad{}
	proposed := must(models.UnmarshalProposedEntry(bytes.NewReader(body), fromJSON{}))(t)
	entry := must(types.CreateVersionedEntry(proposed))(t)
	leaf := must(types.CanonicalizeEntry(context.Background(), entry))(t)
	sum := sha256.Sum256(append([]byte{0}, leaf...))
	id := hex.EncodeToString(sum[:])

	d.mu.Lock()
	defer d.mu.Unlock()
	where := d.Log() + "/api/v1/log/entries/" + id
	w.Header().Set("Location", where)
	if _, there := d.entries[id]; there {
		say(w, http.StatusConflict, "an equivalent entry already exists in the transparency log with UUID "+id)
		return
	}
	logID := must(d.sigstore.logs.RekorLogID())(t)
	index, now := int64(len(d.entries)), time.Now().Unix()
	text := base64.StdEncoding.EncodeToString(leaf)
	promise := must(d.sigstore.logs.RekorSignPayload(tlog.RekorPayload{Body: text, IntegratedTime: now, LogIndex: index, LogID: logID}))(t)
	one := models.LogEntryAnon{
		Body: text, IntegratedTime: &now, LogIndex: &index, LogID: &logID,
		Verification: &models.LogEntryAnonVerification{
			SignedEntryTimestamp: promise,
			InclusionProof:       must(d.sigstore.logs.GetInclusionProof(leaf))(t),
		},
	}
	d.entries[id] = one
	w.Header().Set("ETag", id)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]models.LogEntryAnon{id: one})
}

func (d *Services) logged(w http.ResponseWriter, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one, there := d.entries[id]
	if !there {
		say(w, http.StatusNotFound, "there is no entry "+id)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]models.LogEntryAnon{id: one})
}

// fromJSON reads what a client wrote.
type fromJSON struct{}

func (fromJSON) Consume(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }

func (d *Services) tile(w http.ResponseWriter, body []byte) {
	t := bad{}
	var request rekortiles.CreateEntryRequest
	if err := protojson.Unmarshal(body, &request); err != nil {
		t.Fatal(err)
	}
	entry := d.sigstore.tile(t, request.GetHashedRekordRequestV002())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	w.Write(must(protojson.Marshal(entry))(t))
}

func (d *Services) stamp(w http.ResponseWriter, body []byte) {
	t := bad{}
	request := must(timestamp.ParseRequest(body))(t)
	if request.HashAlgorithm != crypto.SHA256 {
		t.Fatal("it takes SHA-256")
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(http.StatusCreated)
	w.Write(d.sigstore.stamps.stamp(t, request.HashAlgorithm, request.HashedMessage, request.Certificates))
}
