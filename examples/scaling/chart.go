package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/goclip/goclip/scaling"
)

var (
	ink    = color.NRGBA{40, 44, 52, 255}
	law    = color.NRGBA{196, 66, 42, 255}
	shade  = color.NRGBA{196, 66, 42, 40}
	second = color.NRGBA{38, 92, 168, 255}
	tint   = color.NRGBA{38, 92, 168, 40}
	result = color.NRGBA{20, 140, 70, 255}
)

// ramp is a colour for step i of n, from light to dark.
func ramp(i, n int) color.Color {
	t := float64(i) / float64(max(n-1, 1))
	mix := func(from, to float64) uint8 { return uint8(from + t*(to-from)) }
	return color.NRGBA{mix(120, 50), mix(195, 30), mix(225, 110), 255}
}

// chart is a plot with logarithmic axes and its legend beside it. The first error of
// what is added is kept until it is saved.
type chart struct {
	*plot.Plot
	legend plot.Legend
	err    error
}

func newChart(title, x, y string) *chart {
	c := &chart{Plot: plot.New(), legend: plot.NewLegend()}
	sans := func(size float64) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	}
	c.Title.Text, c.X.Label.Text, c.Y.Label.Text = title, x, y
	c.Title.TextStyle.Font, c.Title.Padding = sans(14), vg.Points(8)
	c.legend.TextStyle.Font, c.legend.Padding = sans(9.5), vg.Points(3)
	c.legend.Top, c.legend.Left, c.legend.YOffs = true, true, -vg.Centimeter
	for _, a := range []*plot.Axis{&c.X, &c.Y} {
		a.Scale, a.Tick.Marker = plot.LogScale{}, decades{}
		a.Label.TextStyle.Font, a.Tick.Label.Font = sans(12), sans(10)
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{230}, color.Gray{230}
	c.Add(grid)
	return c
}

func (c *chart) keep(err error) {
	if c.err == nil {
		c.err = err
	}
}

func xys(points []scaling.Point) plotter.XYs {
	out := make(plotter.XYs, len(points))
	for i, p := range points {
		out[i] = plotter.XY(p)
	}
	return out
}

// points adds marks of a shape; "" keeps them out of the legend, here as below.
func (c *chart) points(name string, points []scaling.Point, ink color.Color, shape draw.GlyphDrawer, size float64) {
	s, err := plotter.NewScatter(xys(points))
	if c.keep(err); err != nil {
		return
	}
	s.GlyphStyle = draw.GlyphStyle{Color: ink, Shape: shape, Radius: vg.Points(size)}
	c.Add(s)
	if name != "" {
		c.legend.Add(name, s)
	}
}

// line adds a function over a range of x, dashed beyond solid.
func (c *chart) line(name string, ink color.Color, over, solid scaling.Interval, f func(x float64) float64) {
	part := func(name string, over scaling.Interval, dashed bool) {
		if !(over.Low < over.High) {
			return
		}
		l, err := plotter.NewLine(xys(trace(over, f)))
		if c.keep(err); err != nil {
			return
		}
		l.Color, l.Width = ink, vg.Points(1.6)
		if dashed {
			l.Dashes = []vg.Length{vg.Points(5), vg.Points(4)}
		}
		c.Add(l)
		if name != "" {
			c.legend.Add(name, l)
		}
	}
	part(name, scaling.Interval{Low: max(over.Low, solid.Low), High: min(over.High, solid.High)}, false)
	part("", scaling.Interval{Low: over.Low, High: min(solid.Low, over.High)}, true)
	part("", scaling.Interval{Low: max(solid.High, over.Low), High: over.High}, true)
}

// polyline joins points in the order of x.
func (c *chart) polyline(points []scaling.Point, ink color.Color) {
	points = slices.SortedFunc(slices.Values(points), func(a, b scaling.Point) int { return cmp.Compare(a.X, b.X) })
	l, err := plotter.NewLine(xys(points))
	if c.keep(err); err != nil {
		return
	}
	l.Color, l.Width = ink, vg.Points(1.6)
	c.Add(l)
}

// band adds the area between two functions.
func (c *chart) band(name string, shade color.Color, over scaling.Interval, f func(x float64) scaling.Interval) {
	low := trace(over, func(x float64) float64 { return f(x).Low })
	high := trace(over, func(x float64) float64 { return f(x).High })
	for i := range high {
		low = append(low, high[len(high)-1-i])
	}
	p, err := plotter.NewPolygon(xys(low))
	if c.keep(err); err != nil {
		return
	}
	p.Color, p.LineStyle.Width = shade, 0
	c.Add(p)
	if name != "" {
		c.legend.Add(name, p)
	}
}

// bar adds a vertical interval.
func (c *chart) bar(name string, ink color.Color, x, y float64, over scaling.Interval) {
	bars, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{plotter.XYs{{X: x, Y: y}}, plotter.YErrors{{Low: y - over.Low, High: over.High - y}}})
	if c.keep(err); err != nil {
		return
	}
	bars.Color, bars.Width, bars.CapWidth = ink, vg.Points(1.8), vg.Points(9)
	c.Add(bars)
	c.points(name, []scaling.Point{{X: x, Y: y}}, ink, draw.RingGlyph{}, 4)
}

// trace takes a function at equal ratios of x.
func trace(over scaling.Interval, f func(x float64) float64) []scaling.Point {
	const n = 80
	out := make([]scaling.Point, n+1)
	for i := range out {
		x := over.Low * math.Pow(over.High/over.Low, float64(i)/n)
		out[i] = scaling.Point{X: x, Y: f(x)}
	}
	return out
}

// save writes the chart as PNG and SVG.
func (c *chart) save(dir, name string) error {
	for _, format := range []string{"png", "svg"} {
		if c.err == nil {
			c.err = c.write(filepath.Join(dir, name+"."+format), format)
		}
	}
	if c.err != nil {
		return fmt.Errorf("plot of %s: %w", name, c.err)
	}
	return nil
}

func (c *chart) write(path, format string) error {
	const width, height, beside = 22 * vg.Centimeter, 12 * vg.Centimeter, 5.4 * vg.Centimeter
	canvas, err := draw.NewFormattedCanvas(width, height, format)
	if err != nil {
		return err
	}
	all := draw.New(canvas)
	c.Draw(draw.Crop(all, 0, -beside, 0, 0))
	c.legend.Draw(draw.Crop(all, width-beside+vg.Points(6), 0, 0, 0))
	var data bytes.Buffer
	if _, err := canvas.WriteTo(&data); err != nil {
		return err
	}
	return replace(path, data.Bytes())
}

// replace writes a file that appears, or takes an older one's place, only when it is
// complete.
func replace(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o666); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// decades ticks a logarithmic axis at 1, 2 and 5 of each decade, and between them.
type decades struct{}

// Ticks implements [plot.Ticker].
func (decades) Ticks(low, high float64) []plot.Tick {
	if high/low < 1.6 {
		return plot.DefaultTicks{}.Ticks(low, high)
	}
	var out []plot.Tick
	wide := math.Log10(high/low) > 2.5
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for d := 1.0; d < 10; d++ {
			v := d * math.Pow(10, e)
			if v < low || v > high {
				continue
			}
			label := ""
			if d == 1 || !wide && (d == 2 || d == 5) || high/low < 5 {
				label = short(v)
			}
			out = append(out, plot.Tick{Value: v, Label: label})
		}
	}
	return out
}

// short writes a number as people say it: 20k, 1.5M; powers of ten beyond that.
func short(v float64) string {
	switch {
	case v >= 1e9:
		e := math.Floor(math.Log10(v))
		return fmt.Sprintf("%.2ge%g", v/math.Pow(10, e), e)
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}
