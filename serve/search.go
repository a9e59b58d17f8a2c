package serve

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// maxHits limits a search.
const maxHits = 100_000

// filter chooses among the photographs of an index, as the flags of "goclip search" do.
type filter struct {
	Path   []string `json:"path"`
	After  string   `json:"after"`
	Before string   `json:"before"`
}

type searchRequest struct {
	filter
	Text   *string  `json:"text"`
	Image  *string  `json:"image"`
	Like   *string  `json:"like"`
	Min    *float64 `json:"min"`
	K      *int     `json:"k"`
	Offset int      `json:"offset"`
}

type searchHit struct {
	Key      string   `json:"key"`
	Caption  string   `json:"caption,omitempty"`
	Score    *float64 `json:"score,omitempty"`    // none where nothing was asked for
	Strength *float64 `json:"strength,omitempty"` // above the background, where there is one

	// Of photographs of a library.
	SHA256 string      `json:"sha256,omitempty"`
	Date   string      `json:"date,omitempty"`
	Taken  string      `json:"taken,omitempty"`
	Place  *[2]float64 `json:"place,omitempty"`
	Width  int         `json:"width,omitempty"`
	Height int         `json:"height,omitempty"`
	Size   int64       `json:"size,omitempty"`
}

// search looks in the index: GET with parameters of the query, or POST with the same fields
// and an image.
func (s *Server) search(w http.ResponseWriter, r *http.Request) (any, error) {
	var q searchRequest
	if r.Method == http.MethodPost {
		free, err := s.readJSON(w, r, &q)
		if err != nil {
			return nil, err
		}
		defer free()
		if q.Text == nil && q.Image == nil && q.Like == nil {
			return nil, bad("want a text, an image or a key (like) to look for")
		}
	} else if err := q.read(r.URL.Query()); err != nil {
		return nil, err
	}
	g, err := s.gallery(nil)
	if err != nil {
		return nil, err
	}
	defer g.release()
	k := 10
	if q.K != nil {
		k = *q.K
	}
	if k < 1 || k > maxHits {
		return nil, bad("k is %d, want 1 to %d", k, maxHits)
	}
	if q.Offset < 0 {
		return nil, bad("offset is %d, want 0 or more", q.Offset)
	}
	keep, err := g.keep(q.filter)
	if err != nil {
		return nil, err
	}
	terms, err := s.terms(r, g, q)
	if err != nil {
		return nil, err
	}
	if len(terms) == 0 {
		if q.Min != nil {
			return nil, bad("min is for searches, and nothing is looked for")
		}
		return g.browse(k, q.Offset, keep), nil
	}
	return g.rank(terms, k, q.Offset, q.Min, keep)
}

// read takes the parameters of an address.
func (q *searchRequest) read(v url.Values) (err error) {
	if words := v.Get("q"); words != "" {
		q.Text = &words
	}
	if like := v.Get("like"); like != "" {
		q.Like = &like
	}
	if text := v.Get("k"); text != "" {
		k, err := strconv.Atoi(text)
		if err != nil {
			return bad("k is no number")
		}
		q.K = &k
	}
	if text := v.Get("offset"); text != "" {
		if q.Offset, err = strconv.Atoi(text); err != nil {
			return bad("offset is no number")
		}
	}
	if text := v.Get("min"); text != "" {
		least, err := strconv.ParseFloat(text, 64)
		if err != nil || least != least {
			return bad("min is no number")
		}
		q.Min = &least
	}
	q.filter = filterOf(v)
	return nil
}

func filterOf(v url.Values) filter { return filter{v["path"], v.Get("after"), v.Get("before")} }

// terms are the embeddings of what is looked for: the parts of the text, see
// [index.ParseQuery], the image, and that of the index.
func (s *Server) terms(r *http.Request, g *gallery, q searchRequest) (terms []index.Term, err error) {
	var parts []index.Part
	if q.Text != nil {
		if parts, err = index.ParseQuery(*q.Text); err != nil {
			return nil, bad("%s", strings.TrimPrefix(err.Error(), "index: "))
		}
	}
	if q.Like != nil {
		parts = append(parts, index.Part{Weight: 1, Kind: index.Like, Text: *q.Like})
	}
	var items []item
	var at []int // terms of the items
	for i, p := range parts {
		terms = append(terms, index.Term{Weight: p.Weight})
		switch p.Kind {
		case index.Words:
			items, at = append(items, item{text: p.Text}), append(at, i)
		case index.Like:
			e, ok := g.Embedding(p.Text)
			if !ok {
				return nil, bad("the index has no image %.200q", p.Text)
			}
			terms[i].Embedding = e
		default:
			return nil, bad("image: names a file, of which this server reads none: send the image itself")
		}
	}
	if q.Image != nil {
		file, err := s.image(r, *q.Image)
		if err != nil {
			return nil, err
		}
		items, at = append(items, item{image: file}), append(at, len(terms))
		terms = append(terms, index.Term{Weight: 1})
	}
	encoded, err := s.encode(r.Context(), "", items)
	for i, e := range encoded {
		terms[at[i]].Embedding = e.row
	}
	return terms, err
}

// found is what a search answers. Total counts the hits that there are of any k and offset.
type found struct {
	Hits  []searchHit `json:"hits"`
	Total int         `json:"total"`
}

// rank searches. Without a filter no more is ranked than is asked for.
func (g *gallery) rank(terms []index.Term, k, offset int, least *float64, keep func(index.Entry) bool) (f found, err error) {
	query, err := g.Combine(terms...)
	if err != nil {
		return f, bad("%s", strings.TrimPrefix(err.Error(), "index: "))
	}
	background, err := g.Background(query)
	if err != nil {
		return f, err
	}
	if least != nil && background.Spread == 0 {
		return f, bad("min needs an index of 16 images or more that are not all alike, and this one has %d", g.Len())
	}
	most := g.Len()
	if keep == nil && least == nil {
		most = min(most, k+min(offset, most))
	}
	hits, err := g.Search(query, most, keep)
	if err != nil {
		return f, err
	}
	f.Total = g.Len()
	if keep != nil || least != nil {
		f.Total = len(hits)
	}
	if least != nil {
		f.Total, _ = slices.BinarySearchFunc(hits, *least, func(h index.Hit, least float64) int {
			if background.Above(h.Score) >= least {
				return -1
			}
			return 1
		})
		hits = hits[:f.Total]
	}
	f.Hits = []searchHit{}
	for _, h := range page(hits, k, offset) {
		one := g.hit(h.Entry)
		one.Score = &h.Score
		if strength := background.Above(h.Score); background.Spread > 0 {
			one.Strength = &strength
		}
		f.Hits = append(f.Hits, one)
	}
	return f, nil
}

// page is k of a list, from an offset on.
func page[T any](list []T, k, offset int) []T {
	list = list[min(offset, len(list)):]
	return list[:min(k, len(list))]
}

// shots are the photographs of an index as they are described, by their keys.
type shots struct {
	of     map[string]photos.Photo
	newest []string // keys by date, the latest first; what has no date last
}

func (g *gallery) parse() (s shots) {
	s.of = make(map[string]photos.Photo, len(g.keys))
	days := make(map[string]string, len(g.keys))
	for e := range g.Entries() {
		if p, ok := photos.Parse(e.Meta); ok {
			s.of[e.Key] = p
			days[e.Key] = cmp.Or(p.Taken, p.Day(time.Local))
		}
	}
	s.newest = slices.Clone(g.keys)
	slices.SortStableFunc(s.newest, func(a, b string) int { return cmp.Compare(days[b], days[a]) })
	return s
}

// keep is a filter as [index.Index.Search] takes it, nil for none.
func (g *gallery) keep(f filter) (func(index.Entry) bool, error) {
	var globs []func(string) bool
	for _, p := range f.Path {
		if p == "" {
			continue
		}
		glob, err := photos.Glob(p)
		if err != nil {
			return nil, bad("path: %s", strings.TrimPrefix(err.Error(), "photos: "))
		}
		globs = append(globs, glob)
	}
	between, err := photos.Between(f.After, f.Before, time.Local)
	if err != nil {
		return nil, bad("%s", strings.TrimPrefix(err.Error(), "photos: "))
	}
	if dated := f.After+f.Before != ""; !dated {
		if len(globs) == 0 {
			return nil, nil
		}
		between = func(photos.Photo) bool { return true }
	}
	shots := g.shots()
	return func(e index.Entry) bool {
		p, ok := shots.of[e.Key]
		fits := func(glob func(string) bool) bool { return glob(e.Key) }
		return (ok || f.After+f.Before == "") && between(p) && (len(globs) == 0 || slices.ContainsFunc(globs, fits))
	}, nil
}

// browse is all that a filter leaves, the newest first.
func (g *gallery) browse(k, offset int, keep func(index.Entry) bool) found {
	keys := g.shots().newest
	if keep != nil {
		keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !keep(index.Entry{Key: key}) })
	}
	f := found{Hits: []searchHit{}, Total: len(keys)}
	for _, key := range page(keys, k, offset) {
		if e, ok := g.Get(key); ok {
			f.Hits = append(f.Hits, g.hit(e))
		}
	}
	return f
}

// hit describes an entry.
func (g *gallery) hit(e index.Entry) searchHit {
	p, ok := g.shots().of[e.Key]
	if !ok {
		return searchHit{Key: e.Key, Caption: e.Meta}
	}
	return searchHit{
		Key: e.Key, Caption: p.Caption, SHA256: p.SHA256, Date: p.Day(time.Local), Taken: p.Taken, Place: p.Place,
		Width: p.Width, Height: p.Height, Size: p.Size,
	}
}
