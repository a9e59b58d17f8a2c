// Package postgres keeps embeddings in PostgreSQL with the extension pgvector, in a table with
// an HNSW index for the cosine, which pgvector's documentation recommends for recall and speed.
package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pgvector/pgvector-go"
	pgxvector "github.com/pgvector/pgvector-go/pgx"

	"github.com/goclip/goclip/contrib/stores"
)

type engine struct {
	pool *pgxpool.Pool
	name string // quoted
}

// Open connects to a database, given as a URL or key=value pairs; PGHOST, PGUSER and the like
// fill in the rest. With t.Create it makes what is missing there: the extension, the table and
// its indexes.
func Open(ctx context.Context, url string, t stores.Table) (*stores.Store, error) {
	name, err := t.Name()
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	e := &engine{name: pgx.Identifier{name}.Sanitize()}
	if err := e.prepare(ctx, config.ConnConfig, name, t); err != nil {
		return nil, fmt.Errorf("postgres: table %s: %w", e.name, err)
	}
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		if err := pgxvector.RegisterTypes(ctx, c); err != nil {
			return err
		}
		// With a filter the index is searched on until there are enough, the nearest first.
		_, err := c.Exec(ctx, "SET hnsw.iterative_scan = strict_order")
		return err
	}
	if e.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return stores.New(e, t.Dim), nil
}

// prepare makes the table, or sees that it is there.
func (e *engine) prepare(ctx context.Context, config *pgx.ConnConfig, name string, t stores.Table) error {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if t.Create {
		for _, sql := range []string{
			"CREATE EXTENSION IF NOT EXISTS vector",
			fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (key text PRIMARY KEY, meta text NOT NULL, labels jsonb NOT NULL, embedding vector(%d) NOT NULL)", e.name, t.Dim),
			fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s USING hnsw (embedding vector_cosine_ops)", pgx.Identifier{name + "_hnsw"}.Sanitize(), e.name),
			fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s USING gin (labels)", pgx.Identifier{name + "_labels"}.Sanitize(), e.name),
		} {
			if _, err := c.Exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	var dim *int
	err = c.QueryRow(ctx, "SELECT atttypmod FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'embedding'", e.name).Scan(&dim)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return stores.ErrNoTable
	case err == nil && *dim != t.Dim:
		return fmt.Errorf("it holds embeddings of %d numbers, want %d", *dim, t.Dim)
	}
	return err
}

func (e *engine) Batch() int { return 1000 }

// Put takes effect as a whole.
func (e *engine) Put(ctx context.Context, entries []stores.Entry, rows [][]float32, replace bool) error {
	values := make([][]any, len(entries))
	for i, entry := range entries {
		labels, err := json.Marshal(entry.Labels)
		if err != nil {
			return err
		}
		if entry.Labels == nil {
			labels = []byte("{}")
		}
		values[i] = []any{entry.Key, entry.Meta, labels, pgvector.NewVector(rows[i])}
	}
	if !replace {
		_, err := e.pool.CopyFrom(ctx, pgx.Identifier{e.name[1 : len(e.name)-1]}, []string{"key", "meta", "labels", "embedding"}, pgx.CopyFromRows(values))
		var failed *pgconn.PgError
		if errors.As(err, &failed) && failed.Code == "23505" { // unique_violation
			return fmt.Errorf("%w: %s", stores.ErrExists, failed.Detail)
		}
		return err
	}
	var batch pgx.Batch
	for _, v := range values {
		batch.Queue("INSERT INTO "+e.name+" VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE SET meta = excluded.meta, labels = excluded.labels, embedding = excluded.embedding", v...)
	}
	return e.pool.SendBatch(ctx, &batch).Close()
}

func (e *engine) Delete(ctx context.Context, keys []string) error {
	_, err := e.pool.Exec(ctx, "DELETE FROM "+e.name+" WHERE key = ANY($1)", keys)
	return err
}

func (e *engine) Query(ctx context.Context, query []float32, k int, f stores.Filter) (hits []stores.Hit, err error) {
	where, args := "", []any{pgvector.NewVector(query), k}
	if len(f.Keys) > 0 {
		args = append(args, f.Keys)
		where = fmt.Sprintf(" WHERE key = ANY($%d)", len(args))
	}
	if len(f.Labels) > 0 {
		labels, err := json.Marshal(f.Labels)
		if err != nil {
			return nil, err
		}
		args = append(args, labels)
		where += map[bool]string{true: " WHERE", false: " AND"}[where == ""] + fmt.Sprintf(" labels @> $%d", len(args))
	}
	err = pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL hnsw.ef_search = %d", min(max(2*k, 100), 1000))); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT key, meta, labels, 1 - (embedding <=> $1) FROM "+e.name+where+" ORDER BY embedding <=> $1 LIMIT $2", args...)
		if err != nil {
			return err
		}
		hits, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (h stores.Hit, err error) {
			err = row.Scan(&h.Key, &h.Meta, &h.Labels, &h.Score)
			return h, err
		})
		return err
	})
	return hits, err
}

func (e *engine) Get(ctx context.Context, keys []string) (entries []stores.Entry, vectors [][]float32, err error) {
	rows, err := e.pool.Query(ctx, "SELECT key, meta, labels, embedding FROM "+e.name+" WHERE key = ANY($1)", keys)
	if err != nil {
		return nil, nil, err
	}
	var entry stores.Entry
	var vector pgvector.Vector
	_, err = pgx.ForEachRow(rows, []any{&entry.Key, &entry.Meta, &entry.Labels, &vector}, func() error {
		entries, vectors = append(entries, entry), append(vectors, vector.Slice())
		entry.Labels = nil
		return nil
	})
	return entries, vectors, err
}

func (e *engine) Each(ctx context.Context, yield func(stores.Entry) error) error {
	rows, err := e.pool.Query(ctx, "SELECT key, meta, labels FROM "+e.name)
	if err != nil {
		return err
	}
	var entry stores.Entry
	_, err = pgx.ForEachRow(rows, []any{&entry.Key, &entry.Meta, &entry.Labels}, func() error {
		one := entry
		entry.Labels = nil
		return yield(one)
	})
	return err
}

func (e *engine) Len(ctx context.Context) (n int, err error) {
	err = e.pool.QueryRow(ctx, "SELECT count(*) FROM "+e.name).Scan(&n)
	return n, err
}

func (e *engine) Drop(ctx context.Context) error {
	_, err := e.pool.Exec(ctx, "DROP TABLE IF EXISTS "+e.name)
	return err
}

func (e *engine) Close() error {
	e.pool.Close()
	return nil
}
