package main

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg/draw"

	"github.com/goclip/goclip/scaling"
)

var dot, ring, box = draw.CircleGlyph{}, draw.RingGlyph{}, draw.BoxGlyph{}

// plots writes all images into a folder.
func plots(dir string, f *findings, repeated []scaling.Record, t *trial) error {
	n, d := f.joint.Ranges[0], f.joint.Ranges[1]
	c := newChart("Loss over parameters", "parameters without embeddings", "held-out loss")
	f.sweep(c, n, func(r scaling.Record) (x, other float64) { return float64(r.Params), float64(r.Samples()) },
		func(x, other float64) float64 { return f.joint.Law.At(x, other) }, " samples")
	single(c, f.params, n)
	if err := c.save(dir, "parameters"); err != nil {
		return err
	}
	c = newChart("Loss over data", "samples seen", "held-out loss")
	f.sweep(c, d, func(r scaling.Record) (x, other float64) { return float64(r.Samples()), float64(r.Params) },
		func(x, other float64) float64 { return f.joint.Law.At(other, x) }, " parameters")
	single(c, f.samples, d)
	if err := c.save(dir, "data"); err != nil {
		return err
	}
	for _, draw := range []func(*findings, *trial) (*chart, string){plotCompute, plotError, plotIsoFLOP, plotAllocation} {
		if c, name := draw(f, t); c != nil {
			if err := c.save(dir, name); err != nil {
				return err
			}
		}
	}
	return plotRepeated(repeated).save(dir, "repeated")
}

// sweep adds the grid's runs, and the joint law, by one resource; a colour for each
// amount of the other.
func (f *findings) sweep(c *chart, over scaling.Interval, split func(scaling.Record) (x, other float64), y func(x, other float64) float64, unit string) {
	byOther := map[float64][]scaling.Point{}
	for _, r := range f.grid {
		x, other := split(r)
		byOther[other] = append(byOther[other], scaling.Point{X: x, Y: r.Loss})
	}
	others := sorted(byOther)
	for i, other := range others {
		c.line("", ramp(i, len(others)), over, over, func(x float64) float64 { return y(x, other) })
		c.points(short(other)+unit, byOther[other], ramp(i, len(others)), dot, 3)
	}
}

func sorted[V any](m map[float64]V) []float64 {
	var keys []float64
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// single adds a law of one variable with its interval.
func single(c *chart, f *scaling.Fit[scaling.Power], over scaling.Interval) {
	if f == nil {
		return
	}
	c.band("", shade, f.Ranges[0], func(x float64) scaling.Interval {
		return f.Interval(level, func(l scaling.Power) float64 { return l.At(x) })
	})
	c.line(formula(f.Law, "x"), law, over, f.Ranges[0], f.Law.At)
}

func plotCompute(f *findings, t *trial) (*chart, string) {
	c := newChart("Loss over compute: the best run of each budget", "training FLOPs", "held-out loss")
	var all []scaling.Point
	for _, r := range f.grid {
		all = append(all, scaling.Point{X: r.FLOPs, Y: r.Loss})
	}
	c.points("runs", all, second, ring, 2.5)
	c.points("best of each bin", f.frontier, ink, dot, 3.5)
	single(c, f.compute, scaling.Interval{Low: f.frontier[0].X, High: t.FLOPs})
	c.bar("predicted, 90 % interval", law, t.FLOPs, t.Loss, t.LossRange)
	c.points("measured", []scaling.Point{{X: t.FLOPs, Y: t.Record.Loss}}, result, box, 4)
	return c, "compute"
}

func plotError(f *findings, t *trial) (*chart, string) {
	if f.wrong == nil {
		return nil, ""
	}
	c := newChart("Zero-shot error over compute", "training FLOPs", "share of images named wrongly")
	var all []scaling.Point
	for _, r := range f.grid {
		all = append(all, scaling.Point{X: r.FLOPs, Y: max(r.Error, 1e-4)})
	}
	c.points("runs", all, second, ring, 2.5)
	single(c, f.wrong, scaling.Interval{Low: f.wrong.Ranges[0].Low, High: t.FLOPs})
	c.bar("predicted, 90 % interval", law, t.FLOPs, t.Error, t.ErrorRange)
	c.points("measured", []scaling.Point{{X: t.FLOPs, Y: max(t.Record.Error, 1e-4)}}, result, box, 4)
	return c, "error"
}

// plotIsoFLOP shows, for each diagonal of the grid, what models of different sizes
// make of one budget.
func plotIsoFLOP(f *findings, _ *trial) (*chart, string) {
	c := newChart("One budget, models of different sizes (isoFLOP curves)", "parameters without embeddings", "held-out loss")
	rows := map[float64][]scaling.Point{}
	for _, r := range f.grid {
		k := math.Round(math.Log2(f.most() / r.FLOPs))
		rows[k] = append(rows[k], scaling.Point{X: float64(r.Params), Y: r.Loss})
	}
	var best []scaling.Point
	keys := sorted(rows)
	slices.Reverse(keys)
	for i, k := range keys {
		if len(rows[k]) < 3 {
			continue
		}
		budget := f.most() / math.Pow(2, k)
		at := func(n float64) float64 { return f.joint.Law.At(n, budget/f.perSample.Law.At(n)) }
		var over scaling.Interval
		over.Low, over.High = rows[k][0].X, rows[k][0].X
		for _, p := range rows[k] {
			over.Low, over.High = min(over.Low, p.X), max(over.High, p.X)
		}
		c.line("", ramp(i, len(keys)), scaling.Interval{Low: over.Low / 1.2, High: over.High * 1.2}, over, at)
		c.points(short(budget)+" FLOPs", rows[k], ramp(i, len(keys)), dot, 3)
		n, _ := f.joint.Law.Optimal(budget, f.perSample.Law)
		if n >= over.Low/1.2 && n <= over.High*1.2 {
			best = append(best, scaling.Point{X: n, Y: at(n)})
		}
	}
	if len(best) > 0 {
		c.points("best size, by the joint law", best, law, draw.PyramidGlyph{}, 4.5)
	}
	return c, "isoflop"
}

func plotAllocation(f *findings, t *trial) (*chart, string) {
	c := newChart("What to spend a budget on", "training FLOPs", "parameters, samples")
	low := math.Inf(1)
	for _, r := range f.grid {
		low = min(low, r.FLOPs)
	}
	over, fitted := scaling.Interval{Low: low, High: 10 * f.most()}, scaling.Interval{Low: low, High: f.most()}
	c.band("", tint, over, func(x float64) scaling.Interval { return f.spend(x).SamplesRange })
	c.band("", shade, over, func(x float64) scaling.Interval { return f.spend(x).ParamsRange })
	c.line("samples", second, over, fitted, func(x float64) float64 { return f.spend(x).Samples })
	c.line("parameters", law, over, fitted, func(x float64) float64 { return f.spend(x).Params })
	c.points("", []scaling.Point{{X: t.FLOPs, Y: float64(t.Run.Samples())}, {X: t.FLOPs, Y: float64(t.Params)}}, result, box, 4)
	return c, "allocation"
}

func plotRepeated(records []scaling.Record) *chart {
	c := newChart("The same number of samples seen, from ever fewer images", "different images", "held-out loss")
	rows := map[float64][]scaling.Point{}
	for _, r := range records {
		rows[float64(r.Params)] = append(rows[float64(r.Params)], scaling.Point{X: float64(r.Unique), Y: r.Loss})
	}
	for i, n := range sorted(rows) {
		ink := []color.Color{second, law}[min(i, 1)]
		c.points(short(n)+" parameters", rows[n], ink, dot, 4)
		c.polyline(rows[n], ink)
	}
	return c
}

// formula writes a law down.
func formula(l scaling.Power, x string) string {
	text := fmt.Sprintf("%.3g·%s^%.3f", l.A, x, -l.Alpha)
	if l.E > 1e-6 {
		text = fmt.Sprintf("%.3g + ", l.E) + text
	}
	return strings.ReplaceAll(text, "^-", "^−")
}
