package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net/http"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/explain"
	"github.com/goclip/goclip/internal/pillow"
	"github.com/goclip/goclip/vision"
)

const (
	mapSide = 1280 // of an image with a map over it, at most
	maxMaps = 8    // that are made, one at a time, or wait to be
)

// explain is a photograph of the index with a heat map over it of what in it fits what is
// looked for: the direction by which a search with the same fields ranks.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) (any, error) {
	var q struct {
		searchRequest
		Key string `json:"key"`
	}
	if r.Method == http.MethodPost {
		free, err := s.readJSON(w, r, &q)
		if err != nil {
			return nil, err
		}
		defer free()
	} else if err := q.read(r.URL.Query()); err != nil {
		return nil, err
	} else {
		q.Key = r.URL.Query().Get("key")
	}
	g, err := s.gallery(nil)
	if err != nil {
		return nil, err
	}
	defer g.release()
	f, err := s.file(g, q.Key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	terms, err := s.terms(r, g, q.searchRequest)
	if err != nil {
		return nil, err
	}
	if len(terms) == 0 {
		return nil, bad("want a text, an image or a key (like) to look for")
	}
	target, err := g.Combine(terms...)
	if err != nil {
		return nil, bad("%s", strings.TrimPrefix(err.Error(), "index: "))
	}
	// The same file and direction have the same map, so it need not be drawn to be known.
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %d %d ", q.Key, info.Size(), info.ModTime().UnixNano())
	_ = binary.Write(sum, binary.LittleEndian, target)
	tag := `"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", tag)
	if r.Method == http.MethodGet && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil, nil
	}
	picture, at, err := s.heat(r.Context(), f, target)
	if err != nil {
		h.Del("ETag")
		return nil, err
	}
	h.Set("Goclip-Peak", fmt.Sprintf("%.3f %.3f", at[0], at[1]))
	give(w, r, "image/jpeg", info.ModTime(), bytes.NewReader(picture))
	return nil, nil
}

// heat draws a map over an image file, as JPEG, and says where it is hottest, in fractions of
// the image's width and height.
func (s *Server) heat(ctx context.Context, file io.Reader, target []float32) (picture []byte, at [2]float64, err error) {
	if !s.maps.claim(1) {
		s.metrics.refused.WithLabelValues("maps").Inc()
		return nil, at, busy("other maps are being made")
	}
	defer s.maps.free(1)
	l, release, err := s.models.use(ctx, "")
	if err != nil {
		return nil, at, err
	}
	defer release()
	select {
	case s.drawn <- struct{}{}:
		defer func() { <-s.drawn }()
	case <-ctx.Done():
		return nil, at, ctx.Err()
	}
	p, o := l.model.Config().Preprocess, s.o.Decode
	o.Draft = p.DraftSide()
	img, err := vision.DecodeContext(ctx, file, &o)
	if ctx.Err() != nil {
		return nil, at, ctx.Err()
	}
	if err != nil {
		return nil, at, refused(http.StatusNotFound, "the photograph's file cannot be read: %v", unpanicked(err))
	}
	m, err := explain.Vector(ctx, l.model.Model, img, target, explain.Gradients)
	var unfit *encoder.ImageError
	switch {
	case ctx.Err() != nil:
		return nil, at, ctx.Err()
	case errors.As(err, &unfit):
		return nil, at, refused(http.StatusNotFound, "the photograph cannot be used: %v", unpanicked(unfit.Err))
	case errors.Is(err, encoder.ErrClosed):
		return nil, at, err
	case err != nil: // of a family that has no maps
		return nil, at, refused(http.StatusNotImplemented, "%s", strings.TrimPrefix(err.Error(), "explain: "))
	}
	seen, err := shrunk(img, p.Upright)
	if err != nil {
		return nil, at, err
	}
	over, err := m.Overlay(seen)
	if err != nil {
		return nil, at, err
	}
	at[0], at[1] = m.Peak()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, over, &jpeg.Options{Quality: 85}); err != nil {
		return nil, at, err
	}
	return b.Bytes(), at, nil
}

// shrunk is an image as it is seen, at most mapSide on either side.
func shrunk(img image.Image, upright bool) (image.Image, error) {
	seen := pillow.Stored(img)
	if upright {
		seen = pillow.Upright(img)
	}
	size := seen.Bounds().Size()
	long := max(size.X, size.Y)
	if long <= mapSide {
		return seen, nil
	}
	fit := func(n int) int { return max(1, (n*mapSide+long/2)/long) }
	out := image.NewRGBA(image.Rect(0, 0, fit(size.X), fit(size.Y)))
	f := pillow.Fit{Size: [2]int{out.Rect.Dy(), out.Rect.Dx()}, Resize: pillow.Squash, Filter: pillow.Bilinear, Ground: color.White}
	return out, f.Render(out.Pix, seen)
}
