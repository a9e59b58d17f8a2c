package postgres

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/goclip/goclip/contrib/stores"
)

// TestIndexIsUsed: a query goes through the HNSW index.
func TestIndexIsUsed(t *testing.T) {
	address := os.Getenv("GOCLIP_POSTGRES")
	if address == "" {
		t.Skip("GOCLIP_POSTGRES names no database")
	}
	ctx := context.Background()
	at := stores.Table{Model: "00000000000000bb", Dim: 3, Create: true}
	s, err := Open(ctx, address, at)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	defer s.Drop(ctx)
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "SET enable_seqscan = off"); err != nil {
		t.Fatal(err)
	}
	rows, err := c.Query(ctx, "EXPLAIN SELECT key FROM goclip_00000000000000bb ORDER BY embedding <=> '[1,0,0]' LIMIT 3")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if plan := strings.Join(lines, "\n"); err != nil || !strings.Contains(plan, "_hnsw") {
		t.Errorf("the search does not use the index (%v):\n%s", err, plan)
	}
}
