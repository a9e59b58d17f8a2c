package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"
	pgxvector "github.com/pgvector/pgvector-go/pgx"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// table holds the embeddings of one model. Its name ends in the beginning of the
// model's fingerprint, so embeddings of different models never meet. It serves one
// goroutine.
type table struct {
	conn *pgx.Conn
	name string // quoted
}

// open connects to the database and makes what is missing there: the extension,
// the table and its index for the cosine.
func open(ctx context.Context, db string, model *encoder.Model) (*table, error) {
	conn, err := pgx.Connect(ctx, db)
	if err != nil {
		return nil, err
	}
	t := &table{conn, pgx.Identifier{fmt.Sprintf("goclip_%.12s", model.Fingerprint())}.Sanitize()}
	if err := t.create(ctx, model.Config().Vision.Dims().EmbedDim); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("table %s: %w", t.name, err)
	}
	return t, nil
}

func (t *table) create(ctx context.Context, dim int) error {
	for _, sql := range []string{
		"CREATE EXTENSION IF NOT EXISTS vector",
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (key text PRIMARY KEY, meta text NOT NULL, embedding vector(%d) NOT NULL)", t.name, dim),
		fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s USING hnsw (embedding vector_cosine_ops)", t.index(), t.name),
	} {
		if _, err := t.conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return pgxvector.RegisterTypes(ctx, t.conn)
}

func (t *table) index() string { return t.name[:len(t.name)-1] + `_hnsw"` }

func (t *table) close() error { return t.conn.Close(context.Background()) }

// entries returns the metas of all keys.
func (t *table) entries(ctx context.Context) (map[string]string, error) {
	rows, err := t.conn.Query(ctx, "SELECT key, meta FROM "+t.name)
	if err != nil {
		return nil, err
	}
	known := make(map[string]string)
	var key, meta string
	_, err = pgx.ForEachRow(rows, []any{&key, &meta}, func() error {
		known[key] = meta
		return nil
	})
	return known, err
}

// upsert writes embeddings in one batch, which takes effect as a whole. A key that
// is there gets the new embedding.
func (t *table) upsert(ctx context.Context, entries []index.Entry, e *encoder.Embeddings) error {
	var batch pgx.Batch
	for i, entry := range entries {
		batch.Queue("INSERT INTO "+t.name+" VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET meta = excluded.meta, embedding = excluded.embedding",
			entry.Key, entry.Meta, pgvector.NewVector(e.Row(i)))
	}
	return t.conn.SendBatch(ctx, &batch).Close()
}

func (t *table) remove(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := t.conn.Exec(ctx, "DELETE FROM "+t.name+" WHERE key = ANY($1)", keys)
	return err
}

// search returns about the k nearest entries, the nearest first: the index is
// approximate, and looks at 40 candidates or at k where that is more.
func (t *table) search(ctx context.Context, query []float32, k int) ([]index.Hit, error) {
	if k < 1 || k > 1000 {
		return nil, fmt.Errorf("%d hits, want 1 to 1000", k)
	}
	if _, err := t.conn.Exec(ctx, fmt.Sprintf("SET hnsw.ef_search = %d", max(k, 40))); err != nil {
		return nil, err
	}
	rows, err := t.conn.Query(ctx, "SELECT key, meta, 1 - (embedding <=> $1) FROM "+t.name+" ORDER BY embedding <=> $1 LIMIT $2",
		pgvector.NewVector(query), k)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h index.Hit, err error) {
		err = row.Scan(&h.Key, &h.Meta, &h.Score)
		return h, err
	})
}
