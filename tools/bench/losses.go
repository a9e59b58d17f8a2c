package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

//go:embed losses.py
var lossesScript []byte

// lossWorks are each loss with its gradients, of so many pairs.
func lossWorks() (names []string) {
	for _, kind := range []string{"infonce", "sigmoid"} {
		for _, b := range []int{128, 512, 2048, 4096} {
			names = append(names, fmt.Sprintf("%s/%d", kind, b))
		}
	}
	return names
}

// losses has both sides do each work in turns, and prints the best and the median of the
// rounds.
func (o *options) losses(ctx context.Context) error {
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	script := filepath.Join(scratch, "losses.py")
	if err := os.WriteFile(script, lossesScript, 0o666); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cores := strconv.Itoa(runtime.NumCPU())
	all := []*contestant{
		{name: "goclip", args: []string{self, "-isa", o.isa, "-ours", "losses"}, cores: runtime.NumCPU()},
		{name: "torch", args: []string{o.python, script, cores, o.isa}, cores: runtime.NumCPU()},
	}
	for _, c := range all {
		stop, err := c.start(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	works := slices.DeleteFunc(lossWorks(), func(w string) bool { return !o.only.MatchString(w) })
	times := map[string][2][]float64{}
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, o.rounds)
		for _, w := range works {
			for i := range all {
				at := (i + round) % len(all)
				s, err := all[at].time(w)
				if err != nil {
					return err
				}
				both := times[w]
				both[at] = append(both[at], s)
				times[w] = both
			}
		}
	}
	return lossTable(os.Stdout, works, times)
}

func lossTable(w io.Writer, works []string, times map[string][2][]float64) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "| loss and gradients\t| ms\t| PyTorch\t| ratio\t| of medians\t|\n|---\t|---\t|---\t|---\t|---\t|\n")
	for _, work := range works {
		ours, peer := slices.Sorted(slices.Values(times[work][0])), slices.Sorted(slices.Values(times[work][1]))
		middle := len(ours) / 2
		fmt.Fprintf(t, "| %s\t| %s\t| %s\t| %.2f\t| %.2f\t|\n", strings.Replace(work, "/", ", B = ", 1),
			figures(1000*ours[0]), figures(1000*peer[0]), peer[0]/ours[0], peer[middle]/ours[middle])
	}
	return t.Flush()
}

// answerLosses is our own contestant.
func (o *options) answerLosses() error {
	if o.isa != "" {
		if _, err := kernel.ForceISA(o.isa); err != nil {
			return err
		}
	}
	works := map[string]*nn.Machine{}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		name := in.Text()
		if works[name] == nil {
			m, err := lossWork(name)
			if err == nil {
				err = m.Run()
			}
			if err != nil {
				return err
			}
			works[name] = m
		}
		shortest := math.Inf(1)
		for runs, end := 0, time.Now().Add(time.Second/2); runs < 3 || time.Now().Before(end); runs++ {
			start := time.Now()
			if err := works[name].Run(); err != nil {
				return err
			}
			shortest = min(shortest, time.Since(start).Seconds())
		}
		fmt.Println(shortest)
	}
	return nil
}

// lossWork compiles one of lossWorks.
func lossWork(name string) (*nn.Machine, error) {
	kind, size, _ := strings.Cut(name, "/")
	b, err := strconv.Atoi(size)
	if err != nil {
		return nil, fmt.Errorf("no work %q: %w", name, err)
	}
	const d = 512
	return nn.Build(func(g *G.ExprGraph) ([]*G.Node, error) {
		rng := rand.New(rand.NewPCG(1, 1))
		rows := func(name string) *G.Node {
			x := make([]float32, b*d)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			for row := range slices.Chunk(x, d) {
				nn.NormalizeRow(row, row)
			}
			return nn.Leaf(g, name, x, b, d)
		}
		in := loss.Input{Image: rows("image"), Text: rows("text"), Scale: nn.Leaf(g, "scale", []float32{10}, 1), Bias: nn.Leaf(g, "bias", []float32{-3}, 1)}
		f, wrt := loss.Loss(loss.InfoNCE{}), []*G.Node{in.Image, in.Text, in.Scale}
		if kind == "sigmoid" {
			f, wrt = loss.Sigmoid{}, append(wrt, in.Bias)
		}
		cost, err := f.Forward(in)
		if err != nil {
			return nil, err
		}
		grads, err := nn.Grad(cost, wrt...)
		return append(grads, cost), err
	})
}
