// Package weaviate keeps embeddings in a Weaviate server, in a class with its HNSW index for
// the cosine. The requests that it takes are five; the client of Weaviate's makers brings gRPC
// and seventy modules for them.
package weaviate

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/internal/pairs"
	"github.com/goclip/goclip/contrib/stores/internal/rest"
)

type engine struct {
	*rest.Client
	class string
}

// Open opens the class of a table at weaviate+http://HOST:PORT.
func Open(ctx context.Context, url string, t stores.Table) (*stores.Store, error) {
	name, err := t.Name()
	if err != nil {
		return nil, err
	}
	c, err := rest.New(url, "weaviate")
	if err != nil {
		return nil, err
	}
	e := &engine{c, "G" + name[1:]} // a class begins with a capital
	err = c.Do(ctx, http.MethodGet, "/v1/schema/"+e.class, nil, nil)
	var f *rest.Failed
	if errors.As(err, &f) && f.Code == http.StatusNotFound {
		if err = stores.ErrNoTable; t.Create {
			text := func(name string, kind string) map[string]any {
				return map[string]any{"name": name, "dataType": []string{kind}, "tokenization": "field"}
			}
			err = c.Do(ctx, http.MethodPost, "/v1/schema", map[string]any{
				"class": e.class, "vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": map[string]any{"distance": "cosine"},
				"properties": []any{text("key", "text"), text("meta", "text"), text("labels", "text[]")},
			}, nil)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("weaviate: class %s: %w", e.class, err)
	}
	return stores.New(e, t.Dim), nil
}

func (e *engine) Batch() int { return 200 }

// id is a UUID that follows from a key, the same always.
func id(key string) string {
	h := sha256.Sum256([]byte(key))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // version 8, of one's own making
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

type object struct {
	Class      string     `json:"class"`
	ID         string     `json:"id"`
	Properties properties `json:"properties"`
	Vector     []float32  `json:"vector,omitempty"`
}

type properties struct {
	Key    string   `json:"key"`
	Meta   string   `json:"meta"`
	Labels []string `json:"labels"` // name=value
}

func (p properties) entry() stores.Entry {
	return stores.Entry{Key: p.Key, Meta: p.Meta, Labels: pairs.Map(p.Labels)}
}

// Put looks first where nothing is to be replaced, since Weaviate replaces what it has.
func (e *engine) Put(ctx context.Context, entries []stores.Entry, rows [][]float32, replace bool) error {
	keys, objects := make([]string, len(entries)), make([]object, len(entries))
	for i, entry := range entries {
		keys[i] = entry.Key
		objects[i] = object{e.class, id(entry.Key), properties{entry.Key, entry.Meta, pairs.Of(entry.Labels)}, rows[i]}
	}
	if !replace {
		there, err := e.get(ctx, "limit:1, where:"+within("key", "ContainsAny", keys), "key")
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return fmt.Errorf("%w: %q", stores.ErrExists, there[0].Key)
		}
	}
	var results []struct {
		Result struct {
			Errors struct {
				Error []struct{ Message string }
			}
		}
	}
	if err := e.Do(ctx, http.MethodPost, "/v1/batch/objects", map[string]any{"objects": objects}, &results); err != nil {
		return err
	}
	for i, r := range results {
		if len(r.Result.Errors.Error) > 0 && i < len(entries) {
			return fmt.Errorf("entry %d, %q: %s", i, entries[i].Key, r.Result.Errors.Error[0].Message)
		}
	}
	return nil
}

func (e *engine) Delete(ctx context.Context, keys []string) error {
	return e.Do(ctx, http.MethodDelete, "/v1/batch/objects", map[string]any{"match": map[string]any{
		"class": e.class, "where": map[string]any{"path": []string{"key"}, "operator": "ContainsAny", "valueTextArray": keys},
	}}, nil)
}

// within is a condition in GraphQL, whose strings are those of JSON.
func within(property, operator string, values []string) string {
	quoted, _ := json.Marshal(values)
	return fmt.Sprintf(`{path:[%q], operator:%s, valueText:%s}`, property, operator, quoted)
}

type row struct {
	properties
	Additional struct {
		Distance float64   `json:"distance"`
		Vector   []float32 `json:"vector"`
	} `json:"_additional"`
}

func (e *engine) get(ctx context.Context, arguments, fields string) ([]row, error) {
	var answer struct {
		Data struct {
			Get map[string][]row
		}
		Errors []struct{ Message string }
	}
	query := fmt.Sprintf("{Get{%s(%s){%s}}}", e.class, arguments, fields)
	if err := e.Do(ctx, http.MethodPost, "/v1/graphql", map[string]string{"query": query}, &answer); err != nil {
		return nil, err
	}
	if len(answer.Errors) > 0 {
		return nil, fmt.Errorf("weaviate: %.500s", answer.Errors[0].Message)
	}
	return answer.Data.Get[e.class], nil
}

func (e *engine) Query(ctx context.Context, query []float32, k int, f stores.Filter) ([]stores.Hit, error) {
	vector, err := json.Marshal(query)
	if err != nil {
		return nil, err
	}
	arguments := fmt.Sprintf("nearVector:{vector:%s}, limit:%d", vector, k)
	var all []string
	if len(f.Keys) > 0 {
		all = append(all, within("key", "ContainsAny", f.Keys))
	}
	if len(f.Labels) > 0 {
		all = append(all, within("labels", "ContainsAll", pairs.Of(f.Labels)))
	}
	if len(all) == 1 {
		arguments += ", where:" + all[0]
	} else if len(all) > 1 {
		arguments += ", where:{operator:And, operands:[" + strings.Join(all, ",") + "]}"
	}
	rows, err := e.get(ctx, arguments, "key meta labels _additional{distance}")
	if err != nil {
		return nil, err
	}
	hits := make([]stores.Hit, len(rows))
	for i, r := range rows {
		hits[i] = stores.Hit{Entry: r.entry(), Score: 1 - r.Additional.Distance}
	}
	return hits, nil
}

func (e *engine) Get(ctx context.Context, keys []string) (entries []stores.Entry, vectors [][]float32, err error) {
	rows, err := e.get(ctx, fmt.Sprintf("limit:%d, where:%s", len(keys), within("key", "ContainsAny", keys)), "key meta labels _additional{vector}")
	for _, r := range rows {
		entries, vectors = append(entries, r.entry()), append(vectors, r.Additional.Vector)
	}
	return entries, vectors, err
}

// Each sees a state that others may change on the way.
func (e *engine) Each(ctx context.Context, yield func(stores.Entry) error) error {
	for after := ""; ; {
		var page struct{ Objects []object }
		if err := e.Do(ctx, http.MethodGet, "/v1/objects?limit=500&class="+e.class+"&after="+after, nil, &page); err != nil {
			return err
		}
		if len(page.Objects) == 0 {
			return nil
		}
		for _, o := range page.Objects {
			if err := yield(o.Properties.entry()); err != nil {
				return err
			}
			after = o.ID
		}
	}
}

func (e *engine) Len(ctx context.Context) (int, error) {
	var answer struct {
		Data struct {
			Aggregate map[string][]struct {
				Meta struct{ Count int }
			}
		}
	}
	err := e.Do(ctx, http.MethodPost, "/v1/graphql", map[string]string{"query": "{Aggregate{" + e.class + "{meta{count}}}}"}, &answer)
	if got := answer.Data.Aggregate[e.class]; err == nil && len(got) == 1 {
		return got[0].Meta.Count, nil
	}
	return 0, errors.Join(err, errors.New("weaviate: no count in the answer"))
}

func (e *engine) Drop(ctx context.Context) error {
	return e.Do(ctx, http.MethodDelete, "/v1/schema/"+e.class, nil, nil)
}
