// Package opensearch keeps embeddings in an OpenSearch server with its k-NN plug-in, in an index
// of its own with an HNSW graph of Lucene for the cosine: the engine that filters while it
// searches, and needs no native library. The requests are eight; its makers' client is not needed for them.
package opensearch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/internal/pairs"
	"github.com/goclip/goclip/contrib/stores/internal/rest"
)

type engine struct {
	*rest.Client
	path string // of the index
}

// Open opens the index of a table at opensearch+http://HOST:PORT.
func Open(ctx context.Context, url string, t stores.Table) (*stores.Store, error) {
	name, err := t.Name()
	if err != nil {
		return nil, err
	}
	c, err := rest.New(url, "opensearch")
	if err != nil {
		return nil, err
	}
	e := &engine{c, "/" + name}
	if err := e.prepare(ctx, name, t); err != nil {
		return nil, fmt.Errorf("opensearch: index %s: %w", name, err)
	}
	return stores.New(e, t.Dim), nil
}

// prepare makes the index, or sees that it is there.
func (e *engine) prepare(ctx context.Context, name string, t stores.Table) error {
	var made map[string]struct {
		Mappings struct {
			Properties struct {
				Embedding struct{ Dimension int }
			}
		}
	}
	err := e.Do(ctx, http.MethodGet, e.path+"/_mapping", nil, &made)
	var f *rest.Failed
	switch missing := errors.As(err, &f) && f.Code == http.StatusNotFound; {
	case missing && t.Create:
		return e.Do(ctx, http.MethodPut, e.path, map[string]any{
			"settings": map[string]any{"index.knn": true, "number_of_shards": 1, "number_of_replicas": 0},
			"mappings": map[string]any{"dynamic": "strict", "properties": map[string]any{
				"key":    map[string]any{"type": "keyword"},
				"labels": map[string]any{"type": "keyword"},
				"meta":   map[string]any{"type": "keyword", "index": false, "doc_values": false},
				"embedding": map[string]any{"type": "knn_vector", "dimension": t.Dim, "method": map[string]any{
					"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil", "parameters": map[string]any{"m": 16, "ef_construction": 128},
				}},
			}},
		}, nil)
	case missing:
		return stores.ErrNoTable
	case err == nil && made[name].Mappings.Properties.Embedding.Dimension != t.Dim:
		return fmt.Errorf("it holds embeddings of %d numbers, want %d", made[name].Mappings.Properties.Embedding.Dimension, t.Dim)
	}
	return err
}

// id follows from a key, which may be longer than an id.
func id(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key))) }

func ids(keys []string) []string {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = id(key)
	}
	return all
}

type document struct {
	Key       string    `json:"key"`
	Meta      string    `json:"meta"`
	Labels    []string  `json:"labels"` // name=value
	Embedding []float32 `json:"embedding,omitempty"`
}

func (d document) entry() stores.Entry {
	return stores.Entry{Key: d.Key, Meta: d.Meta, Labels: pairs.Map(d.Labels)}
}

func (e *engine) Batch() int { return 500 }

// Put looks first where nothing is to be replaced, so that of a batch all or nothing is refused.
func (e *engine) Put(ctx context.Context, entries []stores.Entry, rows [][]float32, replace bool) error {
	keys, lines := make([]string, len(entries)), make([]any, 0, 2*len(entries))
	for i, entry := range entries {
		keys[i] = entry.Key
		lines = append(lines, map[string]any{"index": map[string]any{"_id": id(entry.Key)}}, document{entry.Key, entry.Meta, pairs.Of(entry.Labels), rows[i]})
	}
	if !replace {
		there, err := e.documents(ctx, keys, "key")
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return fmt.Errorf("%w: %q", stores.ErrExists, there[0].Key)
		}
	}
	return e.bulk(ctx, lines)
}

// bulk does what the lines say, after which searches see it.
func (e *engine) bulk(ctx context.Context, lines []any) error {
	var answer struct {
		Errors bool
		Items  []map[string]struct {
			Error *struct{ Type, Reason string }
		}
	}
	if err := e.Lines(ctx, e.path+"/_bulk?refresh=true", lines, &answer); err != nil || !answer.Errors {
		return err
	}
	for i, item := range answer.Items {
		for _, did := range item {
			if did.Error != nil {
				return fmt.Errorf("entry %d: %s: %.300s", i, did.Error.Type, did.Error.Reason)
			}
		}
	}
	return errors.New("opensearch: an error that it does not name")
}

func (e *engine) Delete(ctx context.Context, keys []string) error {
	lines := make([]any, len(keys))
	for i, key := range keys {
		lines[i] = map[string]any{"delete": map[string]any{"_id": id(key)}}
	}
	return e.bulk(ctx, lines)
}

func (e *engine) documents(ctx context.Context, keys []string, fields string) ([]document, error) {
	var answer struct {
		Docs []struct {
			Found  bool
			Source document `json:"_source"`
		}
	}
	if err := e.Do(ctx, http.MethodPost, e.path+"/_mget?_source="+fields, map[string]any{"ids": ids(keys)}, &answer); err != nil {
		return nil, err
	}
	var there []document
	for _, d := range answer.Docs {
		if d.Found {
			there = append(there, d.Source)
		}
	}
	return there, nil
}

func (e *engine) Get(ctx context.Context, keys []string) (entries []stores.Entry, rows [][]float32, err error) {
	there, err := e.documents(ctx, keys, "key,meta,labels,embedding")
	for _, d := range there {
		entries, rows = append(entries, d.entry()), append(rows, d.Embedding)
	}
	return entries, rows, err
}

type page struct {
	Scroll string `json:"_scroll_id"`
	Hits   struct {
		Hits []struct {
			Score  float64  `json:"_score"`
			Source document `json:"_source"`
		}
	}
}

func (e *engine) Query(ctx context.Context, query []float32, k int, f stores.Filter) ([]stores.Hit, error) {
	near := map[string]any{"vector": query, "k": max(k, 100)} // Lucene looks at k while it walks its graph
	var all []any
	if len(f.Keys) > 0 {
		all = append(all, map[string]any{"terms": map[string]any{"key": f.Keys}})
	}
	for _, l := range pairs.Of(f.Labels) {
		all = append(all, map[string]any{"term": map[string]any{"labels": l}})
	}
	if len(all) > 0 {
		near["filter"] = map[string]any{"bool": map[string]any{"filter": all}}
	}
	var found page
	if err := e.Do(ctx, http.MethodPost, e.path+"/_search", map[string]any{
		"size": k, "_source": []string{"key", "meta", "labels"}, "query": map[string]any{"knn": map[string]any{"embedding": near}},
	}, &found); err != nil {
		return nil, err
	}
	hits := make([]stores.Hit, len(found.Hits.Hits))
	for i, h := range found.Hits.Hits {
		hits[i] = stores.Hit{Entry: h.Source.entry(), Score: 2*h.Score - 1} // its score is (1 + the cosine)/2
	}
	return hits, nil
}

// Each sees a state that nobody changes on the way.
func (e *engine) Each(ctx context.Context, yield func(stores.Entry) error) (err error) {
	const keep = "10m"
	var p page
	err = e.Do(ctx, http.MethodPost, e.path+"/_search?scroll="+keep, map[string]any{"size": 1000, "sort": []string{"_doc"}, "_source": []string{"key", "meta", "labels"}}, &p)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		ended := e.Do(ctx, http.MethodDelete, "/_search/scroll", map[string]any{"scroll_id": p.Scroll}, nil)
		err = errors.Join(err, ended)
	}()
	for len(p.Hits.Hits) > 0 {
		for _, h := range p.Hits.Hits {
			if err := yield(h.Source.entry()); err != nil {
				return err
			}
		}
		next := page{}
		if err := e.Do(ctx, http.MethodPost, "/_search/scroll", map[string]any{"scroll": keep, "scroll_id": p.Scroll}, &next); err != nil {
			return err
		}
		p = next
	}
	return nil
}

func (e *engine) Len(ctx context.Context) (int, error) {
	var answer struct{ Count int }
	err := e.Do(ctx, http.MethodGet, e.path+"/_count", nil, &answer)
	return answer.Count, err
}

func (e *engine) Drop(ctx context.Context) error {
	return e.Do(ctx, http.MethodDelete, e.path, nil, nil)
}
