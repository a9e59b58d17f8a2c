package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rates are what BENCHMARKS.md measured, in seconds of one core unless said otherwise.
type rates struct {
	small, large float64 // an image file of 0.5 and of 12 megapixels to pixels
	towers       []tower
	jpeg         float64 // a JPEG photograph of 0.5 megapixels to its embedding, ViT-B/32, with its share of a process's start
	pair         float64 // a pair of a training of ViT-B/32, forward, backward and optimiser
	loss         float64 // InfoNCE with its gradients, for each of 4,096 × 4,096 logits
	scan         float64 // bytes a second that two cores search
}

// tower is an image tower's rate, from pixels.
type tower struct {
	name    string
	dim     float64
	seconds float64 // of one core, for one image
}

// The measurements are of two cores but for files, whose are of one.
const cores = 2

// read finds the rates in the benchmarks' page.
func read(page string) (r rates, err error) {
	tables := parse(page)
	get := func(column string, cells ...string) float64 {
		v, e := value(tables, column, cells...)
		if err == nil {
			err = e
		}
		return v
	}
	r.small, r.large = get("ms", "0.5, 4:2:0")/1e3, get("ms", "12, 4:2:0")/1e3
	r.towers = []tower{{"ViT-B-32", 512, cores * get("ms, AVX-512", "ViT-B/32 images, batch 8") / 8 / 1e3}}
	for name, dim := range map[string]float64{"MobileCLIP2-S0": 512, "PE-Core-B-16": 1024, "ViT-B-16-SigLIP2": 768} {
		r.towers = append(r.towers, tower{name, dim, cores * get("goclip, ms", name, "8") / 8 / 1e3})
	}
	slices.SortFunc(r.towers, func(a, b tower) int {
		return strings.Compare(fmt.Sprintf("%9.4f", a.seconds), fmt.Sprintf("%9.4f", b.seconds))
	})
	r.jpeg = cores * get("s", "256 photographs of half a megapixel to embeddings, goclip") / 256
	r.pair = cores * get("ms, AVX-512", "training step, ViT-B/32, batch 8, captions of 77 tokens") / 8 / 1e3
	r.loss = cores * get("ms, AVX-512", "InfoNCE, B = 4,096") / 1e3 / 4096 / 4096
	search := get("measured", "ten nearest of 1,000,000 × 512 vectors (2 GB), exact, quiet machine, two cores")
	r.scan = 1e6 * 512 * 4 / (search / 1e3)
	return r, err
}

// parse returns all tables of a page of Markdown: lines of cells, of which the first are the heads.
func parse(page string) (tables [][][]string) {
	var open [][]string
	for line := range strings.Lines(page + "\n\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if len(open) > 2 {
				tables = append(tables, open)
			}
			open = nil
			continue
		}
		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		open = append(open, cells)
	}
	return tables
}

// value is the number of a column in the one row that begins with the cells: of "50 to 68 ms" and "50; 68"
// the larger, which is the more careful.
func value(tables [][][]string, column string, cells ...string) (float64, error) {
	found, at := 0.0, 0
	several := strings.NewReplacer(",", "", " to ", "; ")
	for _, t := range tables {
		c := slices.Index(t[0], column)
		for _, row := range t[2:] {
			if c < 0 || len(row) <= c || len(row) < len(cells) || !slices.Equal(row[:len(cells)], cells) {
				continue
			}
			most := 0.0
			for part := range strings.SplitSeq(several.Replace(row[c]), "; ") {
				number, _, _ := strings.Cut(part, " ")
				if v, err := strconv.ParseFloat(number, 64); err == nil {
					most = max(most, v)
				}
			}
			if !(most > 0) {
				return 0, fmt.Errorf("BENCHMARKS.md: %q has %q under %q, want a number", cells, row[c], column)
			}
			found, at = most, at+1
		}
	}
	if at != 1 {
		return 0, fmt.Errorf("BENCHMARKS.md: %d rows begin with %q and have a column %q, want one", at, cells, column)
	}
	return found, nil
}
