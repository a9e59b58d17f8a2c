package mpi

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/job"
)

// BenchmarkStep trains on one global batch on one rank of two cores and on two ranks of one core
// each, to the same bits: an architecture of the recipes and ViT-B/32. The fastest step counts. It
// takes about three minutes and 5 GB, and means something on a quiet machine only.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		name, arch          string
		batch, micro, steps int
	}{{"cifar10", filepath.Join("..", "..", "recipes", "cifar10-five-epochs.json"), 64, 8, 30}, {"ViT-B-32", "ViT-B-32", 16, 8, 3}} {
		arch := c.arch
		if strings.HasSuffix(arch, ".json") {
			full, err := filepath.Abs(arch)
			if err != nil {
				b.Fatal(err)
			}
			arch = full
		}
		for _, program := range programs(b) {
			b.Run(c.name+"-"+filepath.Base(program), func(b *testing.B) {
				for b.Loop() {
					setting := fmt.Sprintf("GOCLIP_MPI_STEP=%d %d %d %s", c.batch, c.micro, c.steps, arch)
					one := stepTime(b, launch(b, program, 1, "step", b.TempDir()), 2, setting)
					two := stepTime(b, launch(b, program, 2, "step", b.TempDir()), 1, setting)
					b.ReportMetric(one, "s/step-of-1-rank")
					b.ReportMetric(two, "s/step-of-2-ranks")
					b.ReportMetric(one/two, "speed-of-2")
				}
			})
		}
	}
}

// stepTime runs ranks with so many cores each.
func stepTime(b *testing.B, cmd *exec.Cmd, cores int, setting string) float64 {
	b.Helper()
	cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(cores), setting)
	if strings.Contains(cmd.Path, "openmpi") {
		cmd.Args = slices.Insert(cmd.Args, 1, "--bind-to", "none") // else a rank has one core
	}
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return seconds
}

// stepRole prints the time of the fastest step, but for the first.
func stepRole(ctx context.Context, w *World, _ string) error {
	var batch, micro, steps int
	var name string
	if _, err := fmt.Sscan(os.Getenv("GOCLIP_MPI_STEP"), &batch, &micro, &steps, &name); err != nil {
		return err
	}
	set, err := shapes.Set{Seed: 1}.Train(batch)
	if err != nil {
		return err
	}
	arch, _, err := job.FindArchitecture(name)
	if err != nil {
		return err
	}
	tok, err := job.Vocabulary(ctx, set, 1000)
	if err != nil {
		return err
	}
	m, err := job.Fresh(arch, tok, false, 1)
	if err != nil {
		return err
	}
	trainer, err := train.New(m, train.Config{LR: train.Constant(1e-4, 0), ClipNorm: 1, MicroBatch: micro, Ranks: w})
	if err != nil {
		return err
	}
	var times []float64
	for pairs, err := range dataset.Batches(ctx, set, dataset.BatchOptions{Size: batch}) {
		if err != nil {
			return err
		}
		begin := time.Now()
		if _, err := trainer.Step(ctx, pairs.Pairs); err != nil {
			return err
		}
		if times = append(times, time.Since(begin).Seconds()); w.Rank() == 0 {
			fmt.Fprintf(os.Stderr, "step %d: %.3f s\n", len(times)-1, times[len(times)-1])
		}
		if len(times) > steps {
			break
		}
	}
	if w.Rank() == 0 {
		fmt.Println(slices.Min(times[1:]))
	}
	return nil
}
