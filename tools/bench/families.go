package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/internal/kernel"
)

// newer are the configurations whose image towers are timed beside others.
const newer = "MobileCLIP2-S0,ViT-B-16-SigLIP2,PE-Core-B-16,convnext_base,EVA02-B-16"

//go:embed families.py
var familiesScript []byte

// engines are those of families.py.
var engines = []struct{ name, title string }{
	{"eager", "PyTorch"}, {"compiled", "PyTorch, compiled"}, {"onnxruntime", "ONNX Runtime"}, {"openvino", "OpenVINO"},
}

// capped is what keeps programs to AVX2: our kernels, PyTorch's own, oneDNN's and MKL's.
// Nothing keeps ONNX Runtime to it.
var capped = []string{"GODEBUG=cpu.avx512f=off", "ATEN_CPU_CAPABILITY=avx2", "ONEDNN_MAX_CPU_ISA=AVX2", "MKL_ENABLE_INSTRUCTIONS=AVX2"}

// families times image towers, ours beside each engine's, and prints a row for each model
// and size of batch. A peer's column is its time over ours.
func (o *options) families(ctx context.Context, w io.Writer, names string) error {
	if o.isa != "" && o.isa != "avx2" {
		return fmt.Errorf("-isa %q, want avx2 or nothing", o.isa)
	}
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	script := filepath.Join(scratch, "families.py")
	if err := os.WriteFile(script, familiesScript, 0o666); err != nil {
		return err
	}
	list := strings.Split(names, ",")
	prepare := exec.CommandContext(ctx, o.python, append([]string{script, "prepare", o.familyDir}, list...)...)
	prepare.Env = o.engineEnvironment()
	if out, err := prepare.CombinedOutput(); err != nil {
		return fmt.Errorf("preparing the models: %w\n%s", err, out)
	}
	set := kernel.ISA()
	if o.isa != "" {
		set = o.isa + ", ONNX Runtime's what it finds"
	}
	fmt.Fprintf(w, "%s, %s, %s/%s, GOMAXPROCS %d, %s\n", set, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), time.Now().Format(time.DateOnly))
	fmt.Fprint(w, "| image tower | batch | goclip, ms")
	for _, e := range engines {
		fmt.Fprintf(w, " | %s", e.title)
	}
	fmt.Fprintf(w, " | best peer | others | cosine |\n%s|\n", strings.Repeat("|---", 6+len(engines)))
	for _, name := range list {
		if err := o.family(ctx, w, script, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// engineEnvironment is that of the engines, and of our own worker beside them. PyTorch's
// threads sleep between operators, and its memory is not given back after each.
func (o *options) engineEnvironment() []string {
	env := append(environment(), "PYTHONPATH="+o.engines, "HF_HUB_OFFLINE=1", "OMP_NUM_THREADS=2", "OMP_WAIT_POLICY=PASSIVE",
		"MALLOC_MMAP_THRESHOLD_=4294967296", "MALLOC_TRIM_THRESHOLD_=17179869184", "MALLOC_ARENA_MAX=1", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1")
	if o.isa == "avx2" {
		env = append(env, capped...)
	}
	return env
}

// family times one model: all of its workers are alive, and one at a time runs.
func (o *options) family(ctx context.Context, w io.Writer, script, name string) error {
	var batches []int
	for _, n := range []int{1, 8} {
		if o.only.MatchString(fmt.Sprintf("%s/%d", name, n)) {
			batches = append(batches, n)
		}
	}
	if len(batches) == 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	commands := [][]string{{self, "-ours", "family", "-families", o.familyDir, "-names", name}}
	for _, e := range engines {
		commands = append(commands, []string{o.python, script, "work", o.familyDir, name, e.name, o.isa})
	}
	var all []*tower
	for _, c := range commands {
		t, err := startTower(ctx, c, o.engineEnvironment())
		if err != nil {
			return err
		}
		defer t.end()
		all = append(all, t)
	}
	for _, n := range batches {
		fmt.Fprintf(os.Stderr, "%s, batch %d\n", name, n)
		cosine, err := alike(all, n, filepath.Join(filepath.Dir(script), "features"))
		if err != nil {
			return err
		}
		times, others, err := o.turns(all, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "| %s | %d | %.1f", name, n, 1000*times[0])
		for _, s := range times[1:] {
			fmt.Fprintf(w, " | %.2f", s/times[0])
		}
		fmt.Fprintf(w, " | %.2f | %.2f | %.6f |\n", slices.Min(times[1:])/times[0], others, cosine)
	}
	return nil
}

// alike prepares a batch and returns the least cosine of ours and an engine's features.
func alike(all []*tower, n int, path string) (least float64, err error) {
	var ours []float32
	least = 1
	for i, t := range all {
		if _, err := t.ask("prepare %d", n); err != nil {
			return 0, err
		}
		if _, err := t.ask("features %d %s", n, path); err != nil {
			return 0, err
		}
		x, err := readFloats(path)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			ours = x
			continue
		}
		if len(x) != len(ours) {
			return 0, fmt.Errorf("%s gives %d numbers, goclip %d", t, len(x), len(ours))
		}
		c := cosine(x, ours)
		if !(c > 0.9999) {
			return 0, fmt.Errorf("%s's features have a cosine of %g with goclip's", t, c)
		}
		least = min(least, c)
	}
	return least, nil
}

func cosine(x, y []float32) float64 {
	var xy, xx, yy float64
	for i, v := range x {
		a, b := float64(v), float64(y[i])
		xy, xx, yy = xy+a*b, xx+a*a, yy+b*b
	}
	return xy / math.Sqrt(xx*yy)
}

// turns lets the workers run one after the other, in an order that turns with each round. It
// returns the shortest time of each, in seconds, and how many cores others kept busy.
func (o *options) turns(all []*tower, n int) (shortest []float64, others float64, err error) {
	shortest = slices.Repeat([]float64{math.Inf(1)}, len(all))
	var busy, wall float64
	for round := range o.rounds {
		for i := range all {
			at := (i + round) % len(all)
			if shortest[at] < 0.3 || math.IsInf(shortest[at], 1) { // caches and clocks are its own again
				if _, err := all[at].ask("time %d 0", n); err != nil {
					return nil, 0, err
				}
			}
			before := busyCores()
			a, err := all[at].ask("time %d %g", n, o.seconds)
			if err != nil {
				return nil, 0, err
			}
			busy, wall = busy+busyCores()-before-a.CPU, wall+a.Wall
			shortest[at] = min(shortest[at], slices.Min(a.Times))
		}
	}
	return shortest, max(0, busy/wall), nil
}
