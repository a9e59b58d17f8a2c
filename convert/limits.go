package convert

import "time"

// limits of a process.
type limits struct {
	memory int64 // of addresses, in bytes
	file   int64 // of each file that it writes, in bytes
	cpu    time.Duration
}
