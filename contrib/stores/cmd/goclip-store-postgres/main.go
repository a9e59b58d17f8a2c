// Goclip-store-postgres is what "goclip search --store" runs for addresses that begin with postgres.
package main

import (
	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/postgres"
)

func main() { stores.Main(postgres.Open) }
