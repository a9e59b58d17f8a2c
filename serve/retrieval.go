package serve

import (
	"context"
	"math"
	"net/http"

	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/nn"
)

// retrievalRoutes are those of "clip-retrieval back" (github.com/rom1504/clip-retrieval,
// clip_retrieval/clip_back.py), over an index of images.
func retrievalRoutes() []route {
	d := &dialect{"clip-retrieval", func(f *fault) any { return map[string]any{"message": f.message} }}
	return []route{
		{"POST /knn-service", d, false, (*Server).knnService},
		{"POST /metadata", d, false, (*Server).knnMetadata},
		{"GET /indices-list", d, false, func(s *Server, _ http.ResponseWriter, _ *http.Request) (any, error) {
			return s.o.IndexNames, nil
		}},
	}
}

type knnRequest struct {
	Text           *string   `json:"text"`
	Image          *string   `json:"image"`
	ImageURL       *string   `json:"image_url"`
	EmbeddingInput []float64 `json:"embedding_input"`
	Modality       *string   `json:"modality"`
	NumImages      *int      `json:"num_images"`
	NumResultIDs   *int      `json:"num_result_ids"`
	IndiceName     *string   `json:"indice_name"`
	UseMclip       bool      `json:"use_mclip"`
	Deduplicate    *bool     `json:"deduplicate"`
}

func (s *Server) knnService(w http.ResponseWriter, r *http.Request) (any, error) {
	var q knnRequest
	free, err := s.readJSON(w, r, &q)
	if err != nil {
		return nil, err
	}
	defer free()
	photos, err := s.gallery(q.IndiceName)
	if err != nil {
		return nil, err
	}
	defer photos.release()
	shown, found := 100, 100
	if q.NumImages != nil {
		shown = *q.NumImages
	}
	if found = max(found, shown); q.NumResultIDs != nil {
		found = *q.NumResultIDs
	}
	switch {
	case shown < 0 || found < 0:
		return nil, bad("num_images is %d and num_result_ids %d, want 0 or more", shown, found)
	case q.Modality != nil && *q.Modality != "image":
		return nil, bad("modality is %.50q, and the index is one of images: want image", *q.Modality)
	case q.UseMclip:
		return nil, bad("use_mclip is set, and this server has no such model beside its own")
	}
	query, err := s.knnQuery(r, photos, &q)
	if err != nil {
		return nil, err
	}
	hits, err := photos.Search(query, min(found, photos.Len()), nil)
	if err != nil {
		return nil, bad("%v", err)
	}
	if q.Deduplicate == nil || *q.Deduplicate {
		hits = photos.unlike(hits)
	}
	answer := []map[string]any{}
	for i, h := range hits {
		fields := map[string]any{}
		if i < shown {
			fields = metadata(h.Entry)
		}
		fields["id"], fields["similarity"] = photos.ids[h.Key], h.Score
		answer = append(answer, fields)
	}
	return answer, nil
}

// knnQuery is the embedding that is searched with: of the first that is there.
func (s *Server) knnQuery(r *http.Request, g *gallery, q *knnRequest) ([]float32, error) {
	var it item
	var err error
	switch {
	case q.Text != nil && *q.Text != "":
		it.text = *q.Text
	case q.Image != nil:
		it.image, err = s.image(r, *q.Image)
	case q.ImageURL != nil:
		it.image, err = s.image(r, *q.ImageURL)
	case q.EmbeddingInput != nil:
		return unit(q.EmbeddingInput, g.Dim())
	default:
		return nil, bad("there is no text, image, image_url or embedding_input")
	}
	if err != nil {
		return nil, err
	}
	return s.embed(r.Context(), it)
}

// embed is encode of one item, for the index.
func (s *Server) embed(ctx context.Context, it item) ([]float32, error) {
	out, err := s.encode(ctx, "", []item{it})
	if err != nil {
		return nil, err
	}
	return out[0].row, nil
}

// unit is a vector of a client's, with length one.
func unit(v []float64, dim int) ([]float32, error) {
	row := make([]float32, len(v))
	sum := 0.0
	for i, x := range v {
		row[i], sum = float32(x), sum+x*x
	}
	if len(v) != dim || !(sum > 1e-12) || math.IsInf(sum, 0) {
		return nil, bad("embedding_input has %d numbers, want %d that are not all 0", len(v), dim)
	}
	nn.NormalizeRow(row, row)
	return row, nil
}

// alike is the cosine from which on clip-retrieval takes two images for one.
const alike = 0.94

// unlike leaves out hits that are like an earlier one, or like one that is like it, and so on.
func (g *gallery) unlike(hits []index.Hit) []index.Hit {
	rows := make([][]float32, len(hits))
	for i, h := range hits {
		rows[i], _ = g.Embedding(h.Key)
	}
	gone := make([]bool, len(hits))
	var kept []index.Hit
	for i, h := range hits {
		if gone[i] {
			continue
		}
		kept = append(kept, h)
		gone[i] = true
		for group := []int{i}; len(group) > 0; group = group[1:] {
			for j := range hits {
				if !gone[j] && dot(rows[group[0]], rows[j]) >= alike {
					gone[j], group = true, append(group, j)
				}
			}
		}
	}
	return kept
}

func dot(a, b []float32) (sum float64) {
	for i := range min(len(a), len(b)) {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func (s *Server) knnMetadata(w http.ResponseWriter, r *http.Request) (any, error) {
	var q struct {
		IDs        []int   `json:"ids"`
		IndiceName *string `json:"indice_name"`
	}
	free, err := s.readJSON(w, r, &q)
	if err != nil {
		return nil, err
	}
	defer free()
	photos, err := s.gallery(q.IndiceName)
	if err != nil {
		return nil, err
	}
	defer photos.release()
	if len(q.IDs) > s.o.MaxItems {
		return nil, refused(http.StatusRequestEntityTooLarge, "%d ids in one request, want at most %d", len(q.IDs), s.o.MaxItems)
	}
	answer := []map[string]any{}
	for _, id := range q.IDs {
		if id < 0 || id >= len(photos.keys) {
			return nil, bad("id %d, want 0 to %d", id, len(photos.keys)-1)
		}
		e, ok := photos.Get(photos.keys[id])
		if !ok {
			continue // deleted meanwhile
		}
		answer = append(answer, map[string]any{"id": id, "metadata": metadata(e)})
	}
	return answer, nil
}
