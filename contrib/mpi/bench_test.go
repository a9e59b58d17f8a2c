package mpi

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/goclip/goclip/train"
)

// BenchmarkExchange measures what a step of 150 M weights exchanges between two ranks, as
// train does it ([train.Sum]), beside the all-reduce of the library. GOCLIP_MPI_NUMBERS is another number.
func BenchmarkExchange(b *testing.B) {
	for _, program := range programs(b) {
		b.Run(program, func(b *testing.B) {
			for b.Loop() {
				out, err := launch(b, program, 2, "allreduce", b.TempDir()).CombinedOutput()
				if err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				b.Logf("%s", out)
			}
		})
	}
}

// allReduceRole measures, on all ranks, both ways in turn.
func allReduceRole(ctx context.Context, w *World, _ string) error {
	n, err := strconv.Atoi(os.Getenv("GOCLIP_MPI_NUMBERS"))
	if err != nil {
		n = 150_000_000
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(i%1000) * 0.001 * float32(w.Rank()+1)
	}
	best := map[string]time.Duration{}
	for range 5 {
		for _, way := range []struct {
			name string
			do   func() error
		}{{"library's all-reduce", func() error { return w.allReduce(data) }}, {"exchange along the tree", func() error { return train.Sum(ctx, w, data) }}} {
			if err := train.Agree(ctx, w, nil); err != nil {
				return err
			}
			begin := time.Now()
			if err := way.do(); err != nil {
				return err
			}
			if d := time.Since(begin); best[way.name] == 0 || d < best[way.name] {
				best[way.name] = d
			}
		}
	}
	if w.Rank() == 0 {
		for name, d := range best {
			fmt.Printf("%s of %d M floats on %v: %.3f s\n", name, n/1_000_000, w, d.Seconds())
		}
	}
	return nil
}

// allReduce is MPI's.
func (w *World) allReduce(data []float32) error {
	return w.on(func() error {
		return failed("MPI_Allreduce", w.lib.allReduce(w.lib.in, unsafe.Pointer(&data[0]), int32(len(data)), w.lib.float, w.lib.sum, w.lib.world))
	})
}
