// Package chroma keeps embeddings in a Chroma server, in a collection with its HNSW index for
// the cosine. Its API (version 2) is a handful of requests; there is no client of its makers for Go.
package chroma

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/internal/rest"
)

const (
	root     = "/api/v2/tenants/default_tenant/databases/default_database/collections"
	metaKey  = "meta"
	labelKey = "label." // before a label's name
)

type engine struct {
	*rest.Client
	name, path string // path of the collection
}

// Open opens the collection of a table at chroma+http://HOST:PORT.
func Open(ctx context.Context, url string, t stores.Table) (*stores.Store, error) {
	name, err := t.Name()
	if err != nil {
		return nil, err
	}
	c, err := rest.New(url, "chroma")
	if err != nil {
		return nil, err
	}
	e := &engine{Client: c, name: name}
	var made struct {
		ID        string `json:"id"`
		Dimension *int   `json:"dimension"`
	}
	if t.Create {
		err = c.Do(ctx, http.MethodPost, root, map[string]any{"name": name, "get_or_create": true,
			"configuration": map[string]any{"hnsw": map[string]any{"space": "cosine", "ef_construction": 200, "ef_search": 200}}}, &made)
	} else if err = c.Do(ctx, http.MethodGet, root+"/"+name, nil, &made); status(err) == http.StatusNotFound {
		err = stores.ErrNoTable
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("chroma: collection %s: %w", name, err)
	case made.Dimension != nil && *made.Dimension != t.Dim:
		return nil, fmt.Errorf("chroma: collection %s holds embeddings of %d numbers, want %d", name, *made.Dimension, t.Dim)
	}
	e.path = root + "/" + made.ID
	return stores.New(e, t.Dim), nil
}

func status(err error) int {
	var f *rest.Failed
	if errors.As(err, &f) {
		return f.Code
	}
	return 0
}

func (e *engine) Batch() int { return 500 }

// Put looks first where nothing is to be replaced, since Chroma passes over ids that it has.
func (e *engine) Put(ctx context.Context, entries []stores.Entry, rows [][]float32, replace bool) error {
	ids, metas := make([]string, len(entries)), make([]map[string]any, len(entries))
	for i, entry := range entries {
		ids[i], metas[i] = entry.Key, map[string]any{metaKey: entry.Meta}
		for name, value := range entry.Labels {
			metas[i][labelKey+name] = value
		}
	}
	if !replace {
		var there got
		if err := e.Do(ctx, http.MethodPost, e.path+"/get", map[string]any{"ids": ids, "include": []string{}}, &there); err != nil {
			return err
		}
		if len(there.IDs) > 0 {
			return fmt.Errorf("%w: %q", stores.ErrExists, there.IDs[0])
		}
	} else if err := e.Delete(ctx, ids); err != nil { // an upsert would keep labels that are gone
		return err
	}
	return e.Do(ctx, http.MethodPost, e.path+"/upsert", map[string]any{"ids": ids, "embeddings": rows, "metadatas": metas}, nil)
}

func (e *engine) Delete(ctx context.Context, keys []string) error {
	return e.Do(ctx, http.MethodPost, e.path+"/delete", map[string]any{"ids": keys}, nil)
}

type got struct {
	IDs       []string         `json:"ids"`
	Metadatas []map[string]any `json:"metadatas"`
	Vectors   [][]float32      `json:"embeddings"`
}

func (e *engine) Get(ctx context.Context, keys []string) (entries []stores.Entry, vectors [][]float32, err error) {
	var there got
	if err := e.Do(ctx, http.MethodPost, e.path+"/get", map[string]any{"ids": keys, "include": []string{"metadatas", "embeddings"}}, &there); err != nil {
		return nil, nil, err
	}
	if len(there.Metadatas) != len(there.IDs) {
		return nil, nil, errors.New("chroma: ids and metadatas of an answer have different lengths")
	}
	for i, id := range there.IDs {
		entries = append(entries, entry(id, there.Metadatas[i]))
	}
	return entries, there.Vectors, nil
}

func (e *engine) Query(ctx context.Context, query []float32, k int, f stores.Filter) ([]stores.Hit, error) {
	body := map[string]any{"query_embeddings": [][]float32{query}, "n_results": k, "include": []string{"metadatas", "distances"}}
	if len(f.Keys) > 0 { // an id that is not there would be an internal error
		var there got
		if err := e.Do(ctx, http.MethodPost, e.path+"/get", map[string]any{"ids": f.Keys, "include": []string{}}, &there); err != nil || len(there.IDs) == 0 {
			return nil, err
		}
		body["ids"] = there.IDs
	}
	var all []map[string]any
	for name, value := range f.Labels {
		all = append(all, map[string]any{labelKey + name: map[string]any{"$eq": value}})
	}
	if len(all) == 1 {
		body["where"] = all[0]
	} else if len(all) > 1 {
		body["where"] = map[string]any{"$and": all}
	}
	var found struct {
		IDs       [][]string         `json:"ids"`
		Metadatas [][]map[string]any `json:"metadatas"`
		Distances [][]float64        `json:"distances"`
	}
	if err := e.Do(ctx, http.MethodPost, e.path+"/query", body, &found); err != nil {
		return nil, err
	}
	if len(found.IDs) != 1 || len(found.Distances) != 1 || len(found.Distances[0]) != len(found.IDs[0]) || len(found.Metadatas) != 1 || len(found.Metadatas[0]) != len(found.IDs[0]) {
		return nil, fmt.Errorf("chroma: ids, distances and metadatas of an answer have different lengths")
	}
	hits := make([]stores.Hit, len(found.IDs[0]))
	for i, id := range found.IDs[0] {
		hits[i] = stores.Hit{Entry: entry(id, found.Metadatas[0][i]), Score: 1 - found.Distances[0][i]}
	}
	return hits, nil
}

func entry(id string, metadata map[string]any) stores.Entry {
	e := stores.Entry{Key: id}
	for name, value := range metadata {
		text, _ := value.(string)
		if label, ok := strings.CutPrefix(name, labelKey); ok {
			if e.Labels == nil {
				e.Labels = map[string]string{}
			}
			e.Labels[label] = text
		} else if name == metaKey {
			e.Meta = text
		}
	}
	return e
}

// Each sees a state that others may change on the way.
func (e *engine) Each(ctx context.Context, yield func(stores.Entry) error) error {
	for offset := 0; ; {
		var page got
		if err := e.Do(ctx, http.MethodPost, e.path+"/get", map[string]any{"limit": 1000, "offset": offset, "include": []string{"metadatas"}}, &page); err != nil {
			return err
		}
		if len(page.IDs) == 0 || len(page.IDs) != len(page.Metadatas) {
			return nil
		}
		for i, id := range page.IDs {
			if err := yield(entry(id, page.Metadatas[i])); err != nil {
				return err
			}
		}
		offset += len(page.IDs)
	}
}

func (e *engine) Len(ctx context.Context) (n int, err error) {
	err = e.Do(ctx, http.MethodGet, e.path+"/count", nil, &n)
	return n, err
}

func (e *engine) Drop(ctx context.Context) error {
	return e.Do(ctx, http.MethodDelete, root+"/"+e.name, nil, nil)
}
