package serve

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/goclip/goclip/encoder"
)

// ownRoutes are goclip's own.
func (s *Server) ownRoutes() []route {
	d := &dialect{"goclip", func(f *fault) any { return map[string]any{"error": f.message} }}
	return []route{
		{"/", d, true, func(*Server, http.ResponseWriter, *http.Request) (any, error) {
			return nil, refused(http.StatusNotFound, "there is nothing at this address")
		}},
		{"GET /{$}", d, true, (*Server).root},
		{"GET /page/", d, true, pass(s.o.Page)}, // which asks for a key where it needs one
		{"GET /api/thumb", d, false, (*Server).thumb},
		{"GET /api/photo", d, false, (*Server).photo},
		{"GET /api/duplicates", d, false, (*Server).duplicates},
		{"GET /api/explain", d, false, (*Server).explain},
		{"POST /api/explain", d, false, (*Server).explain},
		{"GET /api/search", d, false, (*Server).search},
		{"POST /api/search", d, false, (*Server).search},
		{"POST /api/classify", d, false, (*Server).classify},
		{"GET /health/live", d, true, func(*Server, http.ResponseWriter, *http.Request) (any, error) {
			return map[string]any{"status": "live"}, nil
		}},
		{"GET /health/ready", d, true, (*Server).ready},
		{"GET /metrics", d, false, pass(s.metrics.handler)},
		{"GET /openapi.json", d, true, func(_ *Server, w http.ResponseWriter, _ *http.Request) (any, error) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(openAPI)
			return nil, nil
		}},
	}
}

// pass is a handler of somebody else's.
func pass(h http.Handler) func(*Server, http.ResponseWriter, *http.Request) (any, error) {
	return func(_ *Server, w http.ResponseWriter, r *http.Request) (any, error) {
		if h == nil {
			return nil, refused(http.StatusNotFound, "there is nothing at this address")
		}
		h.ServeHTTP(w, r)
		return nil, nil
	}
}

// root is the page for browsers, and what Immich's service says of itself for others.
func (s *Server) root(w http.ResponseWriter, r *http.Request) (any, error) {
	if s.o.Page != nil && strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.o.Page.ServeHTTP(w, r)
		return nil, nil
	}
	return map[string]any{"message": "Immich ML", "server": "goclip"}, nil
}

func (s *Server) ready(http.ResponseWriter, *http.Request) (any, error) {
	if s.ending.Load() {
		return nil, refused(http.StatusServiceUnavailable, "the server is stopping")
	}
	return map[string]any{"status": "ready"}, nil
}

type prediction struct {
	Label       string  `json:"label"`
	Index       int     `json:"index"`
	Probability float64 `json:"probability"`
	Similarity  float64 `json:"similarity"`
}

// classify names an image zero-shot, as "goclip classify" does.
func (s *Server) classify(w http.ResponseWriter, r *http.Request) (any, error) {
	var q struct {
		Model     string   `json:"model"`
		Image     *string  `json:"image"`
		Labels    []string `json:"labels"`
		Templates []string `json:"templates"`
		Top       *int     `json:"top"`
	}
	free, err := s.readJSON(w, r, &q)
	if err != nil {
		return nil, err
	}
	defer free()
	if q.Templates == nil {
		q.Templates = []string{"a photo of a {}"}
	}
	switch {
	case q.Image == nil:
		return nil, bad("image is missing")
	case len(q.Labels) == 0 || len(q.Templates) == 0:
		return nil, bad("labels or templates is empty")
	case len(q.Labels) > s.o.MaxItems/len(q.Templates):
		return nil, refused(http.StatusRequestEntityTooLarge, "%d labels in %d templates, want at most %d prompts", len(q.Labels), len(q.Templates), s.o.MaxItems)
	case q.Top != nil && *q.Top < 1:
		return nil, bad("top is %d, want 1 or more", *q.Top)
	}
	for i, text := range append(q.Labels[:len(q.Labels):len(q.Labels)], q.Templates...) {
		if len(text) > s.o.MaxText {
			return nil, bad("a label or template of %d bytes, want at most %d", len(text), s.o.MaxText)
		}
		if i >= len(q.Labels) && !strings.Contains(text, "{}") {
			return nil, bad("a template has no {} for the label")
		}
	}
	file, err := s.image(r, *q.Image)
	if err != nil {
		return nil, err
	}
	out, err := s.encode(r.Context(), q.Model, []item{{image: file}})
	if err != nil {
		return nil, err
	}
	l, release, err := s.models.use(r.Context(), q.Model)
	if err != nil {
		return nil, err
	}
	defer release()
	c, err := s.classifier(r.Context(), l, q.Labels, q.Templates)
	if err != nil {
		return nil, err
	}
	best := c.Predict(&encoder.Embeddings{N: 1, Dim: len(out[0].row), Data: out[0].row})[0]
	if q.Top != nil {
		best = best[:min(*q.Top, len(best))]
	}
	answer := make([]prediction, len(best))
	for i, p := range best {
		answer[i] = prediction{p.Label, p.Index, p.Probability, p.Similarity}
	}
	return map[string]any{"model": l.name, "predictions": answer}, nil
}

// classifiers keeps the last few of a model, since clients ask with one list again and
// again.
type classifiers struct {
	mu   sync.Mutex
	kept []keptClassifier // the last used one is the last
}

type keptClassifier struct {
	of string
	*encoder.Classifier
}

const maxClassifiers = 8

// classifier makes one, or finds it.
func (s *Server) classifier(ctx context.Context, l *loaded, labels, templates []string) (*encoder.Classifier, error) {
	if l.model.Text() == nil || l.model.Tokenizer() == nil {
		return nil, bad("the model cannot encode texts")
	}
	of := strconv.Itoa(len(labels))
	for _, text := range append(labels[:len(labels):len(labels)], templates...) {
		of += "\x00" + strconv.Quote(text)
	}
	c := &l.classifiers
	c.mu.Lock()
	for i, k := range c.kept {
		if k.of == of {
			c.kept = append(append(c.kept[:i:i], c.kept[i+1:]...), k)
			c.mu.Unlock()
			return k.Classifier, nil
		}
	}
	c.mu.Unlock()
	select {
	case s.cores <- struct{}{}:
		defer func() { <-s.cores }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	made, err := l.model.NewClassifier(ctx, labels, templates...)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) == maxClassifiers {
		c.kept = c.kept[1:]
	}
	c.kept = append(c.kept[:len(c.kept):len(c.kept)], keptClassifier{of, made})
	return made, nil
}
