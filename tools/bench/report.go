package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/goclip/goclip/internal/kernel"
)

// row is one line of the table: a ratio that must be at least, or at most, its bar.
type row struct {
	work, unit string
	ours, peer float64
	bar        float64
	atMost     bool
	gflop      float64 // of an item; 0 where it is not counted
}

func (r row) ratio() float64 { return r.ours / r.peer }

func (r row) holds() bool {
	if r.atMost {
		return r.ratio() <= r.bar
	}
	return r.ratio() >= r.bar
}

// Multiplications and additions of one image and one caption of 77 tokens in
// ViT-B/32, and of a pair in the toy, forward; a training step is three times both.
const imageWork, textWork, toyWork = 8.818, 5.959, 0.5403

// rows are the works that were done, with the bars they have to reach.
func (r results) rows() []row {
	var rows []row
	add := func(work, unit string, ours, peer, bar float64, atMost bool, gflop float64) {
		if ours > 0 && peer > 0 {
			rows = append(rows, row{work, unit, ours, peer, bar, atMost, gflop})
		}
	}
	for _, p := range products() {
		add(p.name, "GFLOP/s", r.ours[p.name].Rate, r.peer[p.name].Rate, 0.97, false, 1)
	}
	longest := 0.0
	for _, n := range []int{1, 8, 32} {
		key := measurement{What: "image", Batch: n}.key()
		add("ViT-B/32 "+key, "images/s", r.ours[key].Rate, r.peer[key].Rate, 1, false, imageWork)
	}
	for _, n := range []int{1, 8, 32} {
		key := measurement{What: "text", Batch: n}.key()
		add("ViT-B/32 "+key, "texts/s", r.ours[key].Rate, r.peer[key].Rate, 1, false, textWork)
		longest = max(longest, r.peer[key].Rate)
	}
	add("1,000 captions, peer padded to 77", "texts/s", r.ours["captions"].Rate, longest, 3, false, 0)
	both := func(key string) (float64, float64) { return r.ours[key].Rate, r.peer[key].Rate }
	ours, peer := both("toy, batch 128")
	add("toy training step, batch 128", "pairs/s", ours, peer, 1.5, false, 3*toyWork)
	ours, peer = both("train, batch 8")
	add("ViT-B/32 training step, batch 8", "pairs/s", ours, peer, 1.4, false, 3*(imageWork+textWork))
	ours, peer = both("photos")
	add("JPEG files to embeddings", "images/s", ours, peer, 1.15, false, imageWork)
	key := "image, batch 32"
	add("peak RSS, images, batch 32", "MiB", r.ours[key].RSS, r.peer[key].RSS, 1, true, 0)
	key = "train, batch 8"
	add("peak RSS, training, batch 8", "MiB", r.ours[key].RSS, r.peer[key].RSS, 0.9, true, 0)
	add("loading, peer reads the file", "times/s", r.ours["load"].Rate, r.ours["reading"].Rate, 0.5, false, 0)
	add("peak RSS of loading, peer the weights", "MiB", r.ours["load"].RSS, r.ours["weights"].Rate, 1.3, true, 0)
	for _, t := range tokenized() {
		ours, peer = both(t.name)
		add(t.name, "M tokens/s", ours, peer, 2, false, 0)
	}
	ours, peer = both("loading BPE 256k")
	add("loading BPE 256k", "times/s", ours, peer, 2, false, 0)
	return rows
}

// roofline is the rate of the fastest product on all cores, ours or the peer's, 0
// where none was measured.
func (r results) roofline() float64 {
	best := 0.0
	for _, p := range products() {
		best = max(best, r.ours[p.name].Rate, r.peer[p.name].Rate)
	}
	return best
}

// report prints the table and says whether every ratio holds.
func report(w io.Writer, r results) bool {
	roof := r.roofline()
	fmt.Fprintf(w, "%s, %s, %s/%s, GOMAXPROCS %d\n", kernel.ISA(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	if roof > 0 {
		fmt.Fprintf(w, "roofline: the fastest product of all, %.0f GFLOP/s\n", roof)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "| work\t| unit\t| ours\t| peer\t| ratio\t| bar\t| of the roofline\t|")
	fmt.Fprintln(t, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	ok := true
	for _, x := range r.rows() {
		share, sign, mark := "", "≥", ""
		if roof > 0 && x.gflop > 0 {
			share = fmt.Sprintf("%.0f %%", 100*x.ours*x.gflop/roof)
		}
		if x.atMost {
			sign = "≤"
		}
		if !x.holds() {
			ok, mark = false, " missed"
		}
		fmt.Fprintf(t, "| %s\t| %s\t| %s\t| %s\t| %.2f\t| %s %g%s\t| %s\t|\n", x.work, x.unit, figures(x.ours), figures(x.peer), x.ratio(), sign, x.bar, mark, share)
	}
	t.Flush()
	return ok
}

// figures gives three significant figures.
func figures(x float64) string {
	digits := max(0, 2-int(math.Floor(math.Log10(x))))
	return strings.TrimSuffix(fmt.Sprintf("%.*f", digits, x), ".")
}
