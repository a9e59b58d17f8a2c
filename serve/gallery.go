package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// gallery is an index whose entries have numbers, in the order of their keys, with the
// thumbnails of its photographs. It is one state of a library, see [Server.Show].
type gallery struct {
	*index.Index
	thumbs *photos.Thumbs // nil for none
	keys   []string
	ids    map[string]int
	shots  func() shots
	users  sync.WaitGroup
}

func newGallery(x *index.Index, thumbs *photos.Thumbs) *gallery {
	g := &gallery{Index: x, thumbs: thumbs, ids: map[string]int{}}
	for e := range x.Entries() {
		g.ids[e.Key] = len(g.keys)
		g.keys = append(g.keys, e.Key)
	}
	g.shots = sync.OnceValue(g.parse)
	return g
}

// gallery returns the index as it is now, by the name that a client has for it. It is to be
// released.
func (s *Server) gallery(name *string) (*gallery, error) {
	s.showing.Lock()
	defer s.showing.Unlock()
	switch {
	case s.photos == nil:
		return nil, refused(http.StatusNotFound, "this server has no index: goclip serve --index FILE")
	case name != nil && len(s.o.IndexNames) > 0 && !slices.Contains(s.o.IndexNames, *name):
		return nil, refused(http.StatusNotFound, "there is no index %.100q here, only %q", *name, s.o.IndexNames)
	}
	s.photos.users.Add(1)
	return s.photos, nil
}

func (g *gallery) release() { g.users.Done() }

// Show has a later state of Options.Index, of the same model, take its place, and of
// Options.Thumbs. Requests that are under way end with the one before; when Show returns, none
// is left, and what was shown before may be closed.
func (s *Server) Show(x *index.Index, thumbs *photos.Thumbs) error {
	if x == nil {
		return errors.New("serve: show: the index is nil")
	}
	next := newGallery(x, thumbs)
	s.showing.Lock()
	before := s.photos
	err := errors.New("the server has no index")
	if before != nil {
		err = before.Compatible(x)
	}
	if err == nil {
		s.photos = next
	}
	s.showing.Unlock()
	if err != nil {
		return fmt.Errorf("serve: show: %w", err)
	}
	before.users.Wait()
	return nil
}

// metadata are the fields of an entry: those of its Meta where that is a JSON object, and
// otherwise a caption.
func metadata(e index.Entry) map[string]any {
	fields := map[string]any{}
	if json.Unmarshal([]byte(e.Meta), &fields) != nil || fields == nil {
		fields = map[string]any{"caption": e.Meta}
	}
	if fields["image_path"] == nil {
		fields["image_path"] = e.Key
	}
	return fields
}
