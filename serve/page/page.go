// Package page is a page for browsers that shows the photographs of a server: package serve,
// of which it uses /api/search, /api/thumb, /api/photo and /api/duplicates. It asks for
// nothing of any other host, and its content security policy forbids it.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed page.html page.css page.js icon.svg
var files embed.FS

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler answers GET / with the page, and GET /page/… with its parts. It may be used by any
// number of requests at once.
func Handler() http.Handler {
	kinds := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		if r.URL.Path == "/" {
			name = "page.html"
		}
		text, err := fs.ReadFile(files, name)
		if err != nil || r.URL.Path != "/" && r.URL.Path != "/page/"+name {
			http.NotFound(w, r)
			return
		}
		sum := sha256.Sum256(text)
		h := w.Header()
		h.Set("Content-Type", kinds[path.Ext(name)])
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		h.Set("Vary", "Accept") // other clients of / get a document
		h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	})
}
