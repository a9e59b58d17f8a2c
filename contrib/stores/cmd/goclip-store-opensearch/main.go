// Goclip-store-opensearch is what "goclip search --store" runs for addresses that begin with opensearch.
package main

import (
	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/opensearch"
)

func main() { stores.Main(opensearch.Open) }
