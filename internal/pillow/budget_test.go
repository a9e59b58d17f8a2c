package pillow

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestBudgetProcess is not a test: it reads one file in a process of its own.
func TestBudgetProcess(t *testing.T) {
	path := os.Getenv("GOCLIP_BUDGET")
	if path == "" {
		t.Skip("run by TestBudget")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	img, err := DecodeBytes(data, Limits{})
	took := time.Since(began).Seconds()
	runtime.ReadMemStats(&after)
	pixels := 0
	if img != nil {
		size := img.Bounds().Size()
		pixels = size.X * size.Y
	}
	fmt.Printf("%d pixels, %d sys, %d total, %g s, %.100v %T\n", pixels, after.Sys-before.Sys, after.TotalAlloc-before.TotalAlloc, took, err, img)
}
