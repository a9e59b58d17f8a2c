package serve

import (
	"net/http"
)

// weaviateRoutes are those of multi2vec-clip-inference, which Weaviate's module of that name
// asks (github.com/weaviate/weaviate, modules/multi2vec-clip/clients).
func weaviateRoutes() []route {
	d := &dialect{"weaviate", func(f *fault) any { return map[string]any{"error": f.message} }}
	probe := func(s *Server, w http.ResponseWriter, r *http.Request) (any, error) {
		_, err := s.ready(w, r)
		return nil, err // 204
	}
	return []route{
		{"GET /.well-known/ready", d, true, probe},
		{"GET /.well-known/live", d, true, func(*Server, http.ResponseWriter, *http.Request) (any, error) { return nil, nil }},
		{"GET /meta", d, false, (*Server).weaviateMeta},
		{"POST /vectorize", d, false, (*Server).weaviateVectorize},
	}
}

func (s *Server) weaviateMeta(http.ResponseWriter, *http.Request) (any, error) {
	return map[string]any{"model": s.models.entries[0].Name, "server": "goclip"}, nil
}

func (s *Server) weaviateVectorize(w http.ResponseWriter, r *http.Request) (any, error) {
	var q struct{ Texts, Images []string }
	free, err := s.readJSON(w, r, &q)
	if err != nil {
		return nil, err
	}
	defer free()
	var items []item
	for _, t := range q.Texts {
		items = append(items, item{text: t})
	}
	for _, text := range q.Images {
		file, err := s.image(r, text)
		if err != nil {
			return nil, err
		}
		items = append(items, item{image: file})
	}
	out, err := s.encode(r.Context(), "", items)
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, len(out))
	for i := range out {
		rows[i] = out[i].row
	}
	return map[string]any{"textVectors": rows[:len(q.Texts)], "imageVectors": rows[len(q.Texts):]}, nil
}
