// Goclip-store-weaviate is what "goclip search --store" runs for addresses that begin with weaviate.
package main

import (
	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/weaviate"
)

func main() { stores.Main(weaviate.Open) }
