// Package all opens stores of every kind by their addresses.
package all

import (
	"context"
	"fmt"
	"strings"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/chroma"
	"github.com/goclip/goclip/contrib/stores/opensearch"
	"github.com/goclip/goclip/contrib/stores/postgres"
	"github.com/goclip/goclip/contrib/stores/weaviate"
)

// Open opens the table at postgres://…, chroma+http://…, weaviate+http://… or opensearch+http://….
func Open(ctx context.Context, url string, t stores.Table) (*stores.Store, error) {
	scheme, _, _ := strings.Cut(url, "://")
	switch strings.TrimSuffix(strings.TrimSuffix(scheme, "+https"), "+http") {
	case "postgres", "postgresql":
		return postgres.Open(ctx, url, t)
	case "chroma":
		return chroma.Open(ctx, url, t)
	case "opensearch":
		return opensearch.Open(ctx, url, t)
	case "weaviate":
		return weaviate.Open(ctx, url, t)
	}
	return nil, fmt.Errorf("stores: %.60q, want an address that begins with postgres://, chroma+http://, weaviate+http:// or opensearch+http:// (or https)", url)
}
