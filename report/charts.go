package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// frame is a drawing with two axes. All numbers are pixels.
type frame struct {
	Width, Height            float64
	Left, Right, Top, Bottom float64 // the inner edges
	X, Y                     []tick
}

func newFrame(width, height, left, bottom float64) frame {
	return frame{Width: width, Height: height, Left: left, Right: width - 12, Top: 10, Bottom: height - bottom}
}

func (f *frame) horizontal(low, high float64) axis { return axis{low, high, f.Left, f.Right} }
func (f *frame) vertical(low, high float64) axis   { return axis{low, high, f.Bottom, f.Top} }

// line is a path through points.
func line(points [][2]float64) string {
	var b strings.Builder
	for i, p := range points {
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(i, 1)], p[0], p[1])
	}
	return b.String()
}

// lossChart is the loss over the steps: what was measured, its mean over
// neighbouring steps, and chance.
type lossChart struct {
	frame
	Raw, Smooth, Chance string
	Steps               int
}

// buckets is the number of points that a curve is drawn with at most.
const buckets = 400

func newLossChart(points []Point) *lossChart {
	if len(points) < 2 {
		return nil
	}
	c := &lossChart{frame: newFrame(760, 300, 48, 40), Steps: len(points)}
	n := min(len(points), buckets)
	mean := make([]Point, n)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range mean {
		part := points[i*len(points)/n : (i+1)*len(points)/n]
		for _, p := range part {
			mean[i].Loss += p.Loss / float64(len(part))
			mean[i].Chance += p.Chance / float64(len(part))
		}
		mean[i].Step = part[len(part)-1].Step
		low, high = min(low, mean[i].Loss, mean[i].Chance), max(high, mean[i].Loss, mean[i].Chance)
	}
	low = min(low, max(0, low-0.05*(high-low)))
	x, y := c.horizontal(float64(mean[0].Step), float64(mean[n-1].Step)), c.vertical(low, high)
	c.X, c.Y = x.ticks(8), y.ticks(5)
	var raw, smooth, chance [][2]float64
	for i, p := range mean {
		at := x.at(float64(p.Step))
		raw = append(raw, [2]float64{at, y.at(p.Loss)})
		smooth = append(smooth, [2]float64{at, y.at(around(mean, i, n/25))})
		chance = append(chance, [2]float64{at, y.at(p.Chance)})
	}
	c.Raw, c.Smooth, c.Chance = line(raw), line(smooth), line(chance)
	return c
}

// around is the mean loss of the points near number i, as many before as after:
// at the beginning, where the loss is steep, of few. At the end, where it is flat,
// those after are missing.
func around(points []Point, i, reach int) float64 {
	reach = min(reach, i)
	near := points[i-reach : min(i+reach+1, len(points))]
	sum := 0.0
	for _, p := range near {
		sum += p.Loss
	}
	return sum / float64(len(near))
}

// testChart is a curve for each share that the tests measured.
type testChart struct {
	frame
	Curves []curve
}

type curve struct {
	legend
	Path string
	Dots [][2]float64
}

func newTestChart(tests []Test) *testChart {
	names := make(map[string]bool)
	high := 0.0
	for _, t := range tests {
		for name, v := range t.Shares {
			names[name], high = true, max(high, v)
		}
	}
	if len(names) == 0 {
		return nil
	}
	c := &testChart{frame: newFrame(760, 300, 48, 40)}
	x, y := c.horizontal(0, float64(tests[len(tests)-1].Step)), c.vertical(0, 100*high)
	c.X, c.Y = x.ticks(8), y.ticks(5)
	for i, name := range slices.Sorted(maps.Keys(names)) {
		k := curve{legend: legend{i % colors, name}}
		for _, t := range tests {
			if v, ok := t.Shares[name]; ok {
				k.Dots = append(k.Dots, [2]float64{x.at(float64(t.Step)), y.at(100 * v)})
			}
		}
		k.Path = line(k.Dots)
		c.Curves = append(c.Curves, k)
	}
	return c
}

// newLineChart is a curve for each of the two measures.
func newLineChart(l *Line) *testChart {
	if l == nil {
		return nil
	}
	c := &testChart{frame: newFrame(760, 300, 48, 40)}
	x, y := c.horizontal(0, 1), c.vertical(0, 100*max(slices.Max(l.Tuned), slices.Max(l.Kept)))
	c.X, c.Y = x.ticks(8), y.ticks(5)
	for i, values := range [][]float64{l.Tuned, l.Kept} {
		k := curve{legend: legend{i, []string{"what it is tuned for", "what it should not forget"}[i]}}
		for j, v := range values {
			k.Dots = append(k.Dots, [2]float64{x.at(l.Alphas[j]), y.at(100 * v)})
		}
		k.Path = line(k.Dots)
		c.Curves = append(c.Curves, k)
	}
	return c
}

// mapChart is the map with a colour for each of the labels with most images.
type mapChart struct {
	frame
	Explained float64
	Dots      []dot
	Legend    []legend
}

type dot struct {
	X, Y  float64
	Color int
	Text  string
}

type legend struct {
	Color int
	Text  string
}

// colors is the number of colours that can be told apart; colour number colors
// is that of everything else.
const colors = 10

func newMapChart(m *Map) *mapChart {
	if m == nil {
		return nil
	}
	c := &mapChart{frame: newFrame(640, 480, 12, 12), Explained: m.Explained}
	labels := m.labels()
	color := make(map[string]int)
	for i, l := range labels[:min(len(labels), colors)] {
		color[l] = i
		c.Legend = append(c.Legend, legend{i, l})
	}
	if len(labels) > colors {
		c.Legend = append(c.Legend, legend{colors, fmt.Sprintf("%d other classes", len(labels)-colors)})
	}
	lowX, highX, lowY, highY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range m.Spots {
		lowX, highX, lowY, highY = min(lowX, s.X), max(highX, s.X), min(lowY, s.Y), max(highY, s.Y)
	}
	x, y := c.horizontal(lowX, highX), c.vertical(lowY, highY)
	for _, s := range m.Spots {
		k, ok := color[s.Label]
		if !ok {
			k = colors
		}
		text := s.Key
		if s.Label != "" {
			text = s.Label + ": " + s.Key
		}
		c.Dots = append(c.Dots, dot{x.at(s.X), y.at(s.Y), k, text})
	}
	return c
}

func sortedKeys(m map[int]float64) []int { return slices.Sorted(maps.Keys(m)) }
