// Goclip-store-chroma is what "goclip search --store" runs for addresses that begin with chroma.
package main

import (
	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/chroma"
)

func main() { stores.Main(chroma.Open) }
