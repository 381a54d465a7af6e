package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// contentTypes are those of the files that a site may have. They are written
// down because mime.TypeByExtension asks the machine's own tables, and an
// image has none.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
	".png": "image/png",
	".txt": "text/plain; charset=utf-8",
}

// file is a static file in memory.
type file struct {
	content     []byte
	contentType string
	version     string // of the content, not of the site
}

// readStatic reads the files below dir. A file of a type that is not
// in contentTypes is an error: it got there by accident.
func readStatic(assets fs.FS, dir string) (map[string]file, error) {
	files := map[string]file{}
	err := fs.WalkDir(assets, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		contentType, ok := contentTypes[path.Ext(name)]
		if !ok {
			return fmt.Errorf("%s: a static file of an unknown type", name)
		}
		content, err := fs.ReadFile(assets, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		files[strings.TrimPrefix(name, dir+"/")] = file{content, contentType, hex.EncodeToString(sum[:8])}
		return nil
	})
	return files, err
}

// staticURL is the template function "static": the path of a file, with the
// version of its content.
func (s *Site) staticURL(name string) (string, error) {
	f, ok := s.static[name]
	if !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return "/static/" + name + "?v=" + f.version, nil
}

// serveStatic looks the path up in a map. There is no file system behind it,
// so there are no folders to list and no way out with "..".
func (s *Site) serveStatic(w http.ResponseWriter, r *http.Request) {
	f, ok := s.static[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("ETag", `"`+f.version+`"`)
	// Who names the version of exactly this content may keep it for a year
	// and never ask again. During a rollout a new page may ask an old pod:
	// that answer must not be kept, so it has the pages' "no-cache".
	if r.URL.Query().Get("v") == f.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}
