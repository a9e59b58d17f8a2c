package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/vision"
)

// files are images in memory, as clients have them.
func files(pattern string) (data [][]byte, err error) {
	names, err := filepath.Glob(pattern)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("no file %s", pattern)
	}
	for _, name := range names {
		var text []byte
		if text, err = os.ReadFile(name); err != nil {
			break
		}
		data = append(data, text)
	}
	return data, err
}

// load compares what clients get with what the model does by itself with the same files, in
// turns, since other programs may keep the machine busy.
func load(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	goclip := flags.String("goclip", "goclip", "the command")
	model := flags.String("model", "", "folder of the model")
	pattern := flags.String("images", "", "pattern of image files")
	clients := flags.Int("clients", 64, "clients at once")
	rounds := flags.Int("rounds", 3, "rounds; their median counts")
	length := flags.Duration("for", 5*time.Second, "how long a round takes")
	least := flags.Float64("least", 0.95, "fail below this part of the model's own throughput")
	only := flags.String("dialects", "immich,weaviate,openai,photofield", "dialects to ask in")
	_ = flags.Parse(args)
	data, err := files(*pattern)
	if err != nil {
		return err
	}
	m, err := encoder.Load(*model, &encoder.Options{BatchSize: 16})
	if err != nil {
		return err
	}
	defer m.Close()
	want, err := rowsOf(ctx, m, data)
	if err != nil {
		return err
	}
	s, err := start(ctx, *goclip, "--model", "m="+*model, "--preload")
	if err != nil {
		return err
	}
	var spoken []spoken
	for _, name := range strings.Split(*only, ",") {
		d, err := dialectOf(name, data)
		if err != nil {
			return errors.Join(err, s.stop())
		}
		spoken = append(spoken, d)
	}
	if _, _, err := spoken[0].crowd(ctx, s.base, want, *clients, *length/4); err != nil { // once for what is made at first use
		return errors.Join(err, s.stop())
	}
	// A dialect's rounds have one of the model alone before and after each, since other
	// programs come and go.
	own := make([]float64, 1, 1+*rounds*len(spoken))
	rate := func() (float64, error) {
		n, took, err := alone(ctx, m, data, *length)
		return float64(n) / took.Seconds(), err
	}
	if own[0], err = rate(); err != nil {
		return errors.Join(err, s.stop())
	}
	var below error
	for range *rounds {
		for i := range spoken {
			d := &spoken[i]
			round, took, err := d.crowd(ctx, s.base, want, *clients, *length)
			if err != nil {
				return errors.Join(fmt.Errorf("%s: %w", d.name, err), s.stop())
			}
			next, err := rate()
			if err != nil {
				return errors.Join(err, s.stop())
			}
			served := float64(len(round)) / took.Seconds()
			d.ratios = append(d.ratios, 2*served/(own[len(own)-1]+next))
			d.waits, own = append(d.waits, round...), append(own, next)
		}
	}
	slices.Sort(own)
	fmt.Printf("model alone: %.1f images/s, the median of %.1f to %.1f\n", own[len(own)/2], own[0], own[len(own)-1])
	for _, d := range spoken {
		slices.Sort(d.waits)
		at := func(p float64) time.Duration {
			return d.waits[min(int(p*float64(len(d.waits))), len(d.waits)-1)].Round(time.Millisecond)
		}
		slices.Sort(d.ratios)
		median := d.ratios[len(d.ratios)/2]
		fmt.Printf("%s, %d clients: %.3f of it, the median of %.3f; latency p50 %v, p90 %v, p99 %v\n", d.name, *clients, median, d.ratios, at(0.5), at(0.9), at(0.99))
		if !(median >= *least) {
			below = errors.Join(below, fmt.Errorf("%s: ratio %.3f, want at least %.2f", d.name, median, *least))
		}
	}
	return errors.Join(below, s.stop())
}

func rowsOf(ctx context.Context, m *encoder.Model, data [][]byte) ([][]float32, error) {
	e, err := m.EncodeImagesFunc(ctx, len(data), opening(ctx, data))
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, len(data))
	for i := range rows {
		rows[i] = e.Row(i)
	}
	return rows, nil
}

func opening(ctx context.Context, data [][]byte) func(i int) (image.Image, error) {
	return func(i int) (image.Image, error) {
		return vision.DecodeContext(ctx, bytes.NewReader(data[i%len(data)]), nil)
	}
}

// alone is the model's own throughput: files in memory, decoded ahead of full batches.
func alone(ctx context.Context, m *encoder.Model, data [][]byte, length time.Duration) (n int, took time.Duration, err error) {
	began := time.Now()
	for took < length {
		const some = 64
		if _, err := m.EncodeImagesFunc(ctx, some, opening(ctx, data)); err != nil {
			return 0, 0, err
		}
		n, took = n+some, time.Since(began)
	}
	return n, took, nil
}
