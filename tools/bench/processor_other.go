//go:build !unix

package main

import "time"

var began = time.Now()

// processorTime is how long the process has been running, in seconds, where no system call
// tells of its processor time.
func processorTime() float64 { return time.Since(began).Seconds() }
