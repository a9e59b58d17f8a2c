package serve

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goclip/goclip/photos"
)

// kept is for how long a browser may keep what is named by its content.
const kept = "private, max-age=31536000, immutable"

// thumb is a thumbnail, by the key of a photograph or the SHA-256 of its file.
func (s *Server) thumb(w http.ResponseWriter, r *http.Request) (any, error) {
	g, err := s.gallery(nil)
	if err != nil {
		return nil, err
	}
	defer g.release()
	sha, cache := r.URL.Query().Get("sha256"), kept
	if sha == "" {
		sha, cache = g.shots().of[r.URL.Query().Get("key")].SHA256, "private, no-cache"
	}
	if g.thumbs == nil {
		return nil, refused(http.StatusNotFound, "this server has no thumbnails")
	}
	jpeg, err := g.thumbs.Get(sha)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refused(http.StatusNotFound, "there is no thumbnail of this photograph")
	} else if err != nil {
		return nil, err
	}
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("ETag", `"`+sha+`"`)
	give(w, r, "image/jpeg", time.Time{}, bytes.NewReader(jpeg))
	return nil, nil
}

// photo is the file of a photograph of the index, as it is.
func (s *Server) photo(w http.ResponseWriter, r *http.Request) (any, error) {
	g, err := s.gallery(nil)
	if err != nil {
		return nil, err
	}
	defer g.release()
	f, err := s.file(g, r.URL.Query().Get("key"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	kind := mediaType(head[:n])
	if kind == "" || err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, refused(http.StatusNotFound, "the file is no image any more")
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	give(w, r, kind, info.ModTime(), f)
	return nil, nil
}

// file opens the file of a photograph.
func (s *Server) file(g *gallery, key string) (*os.File, error) {
	if _, there := g.Get(key); !there || s.o.Folder == "" {
		return nil, refused(http.StatusNotFound, "the index has no photograph of this key, or is of no folder")
	}
	f, err := openBelow(s.o.Folder, key)
	if err != nil {
		return nil, refused(http.StatusNotFound, "the photograph's file is not in the folder")
	}
	return f, nil
}

// openBelow opens a regular file in a folder, which no link leads out of.
func openBelow(folder, key string) (*os.File, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.FromSlash(key)
	if info, err := root.Stat(name); err != nil { // a pipe would wait for a writer
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fs.ErrInvalid
	}
	return root.Open(name)
}

// give sends a picture, or the part of it that is asked for. No browser takes it for a page.
func give(w http.ResponseWriter, r *http.Request, kind string, changed time.Time, content io.ReadSeeker) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.ServeContent(w, r, "", changed, content)
}

// mediaType is that of an image file, by its beginning; "" for anything else.
func mediaType(head []byte) string {
	if kind := http.DetectContentType(head); strings.HasPrefix(kind, "image/") {
		return kind
	}
	begins := string(head)
	for _, k := range []struct{ magic, kind string }{
		{"II*\x00", "image/tiff"}, {"MM\x00*", "image/tiff"}, {"\xff\x0a", "image/jxl"}, {"\x00\x00\x00\x0cJXL ", "image/jxl"},
		{"\x00\x00\x00\x0cjP  ", "image/jp2"}, {"\xff\x4f\xff\x51", "image/j2c"},
	} {
		if strings.HasPrefix(begins, k.magic) {
			return k.kind
		}
	}
	if len(begins) >= 12 && begins[4:8] == "ftyp" {
		switch brands := begins[8:min(len(begins), 64)]; {
		case strings.Contains(brands, "avif"), strings.Contains(brands, "avis"):
			return "image/avif"
		case strings.Contains(brands, "hei"), strings.Contains(brands, "hev"), strings.Contains(brands, "mif1"):
			return "image/heic"
		}
	}
	return ""
}

type twin struct {
	searchHit
	Likeness photos.Likeness `json:"likeness"`
	Distance int             `json:"distance"`
	Cosine   float64         `json:"cosine"`
}

// duplicates are groups of photographs that are alike, the one to keep first, as "goclip
// duplicates" finds them.
func (s *Server) duplicates(_ http.ResponseWriter, r *http.Request) (any, error) {
	g, err := s.gallery(nil)
	if err != nil {
		return nil, err
	}
	defer g.release()
	keep, err := g.keep(filterOf(r.URL.Query()))
	if err != nil {
		return nil, err
	}
	select { // it takes a core for a while
	case s.cores <- struct{}{}:
		defer func() { <-s.cores }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	found, err := photos.Duplicates(r.Context(), g.Index, photos.DuplicateOptions{}, keep)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, bad("%s", strings.TrimPrefix(err.Error(), "photos: "))
	}
	groups := make([][]twin, len(found))
	for i, group := range found {
		for _, d := range group {
			e, _ := g.Get(d.Key)
			groups[i] = append(groups[i], twin{g.hit(e), d.Likeness, d.Distance, d.Cosine})
		}
	}
	return map[string]any{"groups": groups}, nil
}
