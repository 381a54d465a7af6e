package orders

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func do(t *testing.T, h http.Handler, method, target, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const good = `{"customer": "Ada", "lines": [{"sku": "bolt-8", "quantity": 4}]}`

func TestCreateGetList(t *testing.T) {
	h := Handler(NewStore(3), slog.New(slog.DiscardHandler))
	var ids []string
	for range 3 {
		w := do(t, h, "POST", "/orders", "application/json; charset=utf-8", good)
		if w.Code != http.StatusCreated {
			t.Fatalf("create: %d %s", w.Code, w.Body)
		}
		var o Order
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		if want := "/orders/" + o.ID.String(); w.Header().Get("Location") != want {
			t.Errorf("Location = %q, want %q", w.Header().Get("Location"), want)
		}
		ids = append(ids, o.ID.String())

		got := do(t, h, "GET", w.Header().Get("Location"), "", "")
		if got.Code != http.StatusOK || got.Body.String() != w.Body.String() {
			t.Errorf("get: %d %s, want what create answered: %s", got.Code, got.Body, w.Body)
		}
	}

	if w := do(t, h, "POST", "/orders", "application/json", good); w.Code != http.StatusInsufficientStorage {
		t.Errorf("create in a full store: %d, want 507", w.Code)
	}

	var list struct{ Orders []Order }
	w := do(t, h, "GET", "/orders?limit=2", "", "")
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatalf("list: %v in %s", err, w.Body)
	}
	var got []string
	for _, o := range list.Orders {
		got = append(got, o.ID.String())
	}
	if want := []string{ids[2], ids[1]}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("list of 2 = %v, want the newest first: %v", got, want)
	}
}

func TestEmptyListIsAList(t *testing.T) {
	w := do(t, Handler(NewStore(1), slog.New(slog.DiscardHandler)), "GET", "/orders", "", "")
	if got, want := strings.TrimSpace(w.Body.String()), `{"orders":[]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	const js = "application/json"
	line := `{"sku": "s", "quantity": 1}`
	for name, c := range map[string]struct {
		method, target, contentType, body string
		want                              int
	}{
		"a form":            {"POST", "/orders", "text/plain", good, 415},
		"no type":           {"POST", "/orders", "", good, 415},
		"no JSON":           {"POST", "/orders", js, `customer=Ada`, 400},
		"an empty body":     {"POST", "/orders", js, ``, 400},
		"unknown field":     {"POST", "/orders", js, `{"customer": "Ada", "admin": true}`, 400},
		"a chosen ID":       {"POST", "/orders", js, `{"id": "1", ` + good[1:], 400},
		"two values":        {"POST", "/orders", js, good + good, 400},
		"a word after":      {"POST", "/orders", js, good + "x", 400},
		"too large":         {"POST", "/orders", js, `{"customer": "` + strings.Repeat("a", maxBody) + `"}`, 413},
		"blanks for ever":   {"POST", "/orders", js, good + strings.Repeat(" ", maxBody), 413},
		"null":              {"POST", "/orders", js, `null`, 422},
		"nobody":            {"POST", "/orders", js, `{"customer": "", "lines": [` + line + `]}`, 422},
		"a long name":       {"POST", "/orders", js, `{"customer": "` + strings.Repeat("ä", 101) + `", "lines": [` + line + `]}`, 422},
		"nothing":           {"POST", "/orders", js, `{"customer": "Ada", "lines": []}`, 422},
		"too many lines":    {"POST", "/orders", js, `{"customer": "Ada", "lines": [` + strings.Repeat(line+",", 20) + line + `]}`, 422},
		"no article":        {"POST", "/orders", js, `{"customer": "Ada", "lines": [{"sku": "", "quantity": 1}]}`, 422},
		"less than nothing": {"POST", "/orders", js, `{"customer": "Ada", "lines": [{"sku": "s", "quantity": -1}]}`, 422},
		"no ID":             {"GET", "/orders/1", "", "", 404},
		"an unknown ID":     {"GET", "/orders/6ba7b810-9dad-41d1-80b4-00c04fd430c8", "", "", 404},
		"limit of none":     {"GET", "/orders?limit=0", "", "", 400},
		"limit of all":      {"GET", "/orders?limit=101", "", "", 400},
		"another method":    {"DELETE", "/orders", "", "", 405},
	} {
		t.Run(name, func(t *testing.T) {
			h := Handler(NewStore(1), slog.New(slog.DiscardHandler))
			w := do(t, h, c.method, c.target, c.contentType, c.body)
			if w.Code != c.want {
				t.Errorf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
}

// A draft with all fields at their limits must not break on the body's limit.
func TestLargestDraftFits(t *testing.T) {
	line := `{"sku": "` + strings.Repeat("本", 40) + `", "quantity": 1000}`
	body := `{"customer": "` + strings.Repeat("本", 100) + `", "lines": [` + strings.Repeat(line+",", 19) + line + `]}`
	h := Handler(NewStore(1), slog.New(slog.DiscardHandler))
	if w := do(t, h, "POST", "/orders", "application/json", body); w.Code != http.StatusCreated {
		t.Errorf("status %d, want 201: %s", w.Code, w.Body)
	}
}
