package main

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/goclip/goclip/examples/internal/sheet"
)

// Colours that people with any colour vision tell apart (Okabe and Ito, 2008).
var palette = []color.RGBA{{0, 158, 115, 255}, {230, 159, 0, 255}, {0, 114, 178, 255}, {204, 51, 0, 255}}

// plotTo draws the panels side by side as a PNG, which appears when it is
// complete.
func plotTo(path string, panels []panel) error {
	const width, height = 15 * vg.Centimeter, 11 * vg.Centimeter
	img := vgimg.NewWith(vgimg.UseWH(width*vg.Length(len(panels)), height), vgimg.UseDPI(110))
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: 8 * vg.Millimeter, PadTop: 4 * vg.Millimeter, PadBottom: 3 * vg.Millimeter, PadLeft: 3 * vg.Millimeter, PadRight: 5 * vg.Millimeter}
	canvas := draw.New(img)
	for i := range panels {
		p, err := panels[i].plot(i == len(panels)-1)
		if err != nil {
			return err
		}
		p.Draw(tiles.At(canvas, i, 0))
	}
	return sheet.WriteFile(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
		return err
	})
}

// points are a curve with its intervals, over the logarithm of the number of
// examples, moved aside a little so that intervals do not hide each other.
type points struct {
	plotter.XYs
	plotter.YErrors
}

func (p *panel) plot(legend bool) (*plot.Plot, error) {
	out := plot.New()
	out.Title.Text, out.Title.Padding = p.title, 3*vg.Millimeter
	out.X.Label.Text, out.Y.Label.Text = "examples a class", "accuracy in %"
	out.Legend.Top, out.Legend.Left = false, false
	out.Legend.XOffs, out.Legend.YOffs, out.Legend.Padding = -2*vg.Millimeter, 2*vg.Millimeter, 1*vg.Millimeter
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, color.Gray{225}
	out.Add(grid)
	last := 0.0
	var ticks []plot.Tick
	for _, n := range p.curves[0].shots {
		last = math.Log2(float64(n))
		ticks = append(ticks, plot.Tick{Value: last, Label: fmt.Sprint(n)})
	}
	out.X.Tick.Marker = plot.ConstantTicks(ticks)
	out.Y.Tick.Marker = plot.TickerFunc(percents)
	out.X.Min, out.X.Max = ticks[0].Value-0.3, last+0.3
	zero, err := plotter.NewLine(plotter.XYs{{X: out.X.Min, Y: p.zero}, {X: out.X.Max, Y: p.zero}})
	if err != nil {
		return nil, err
	}
	zero.Color, zero.Width, zero.Dashes = color.Gray{90}, vg.Points(1.5), []vg.Length{vg.Points(5), vg.Points(4)}
	out.Add(zero)
	name := func(what string, thumbs ...plot.Thumbnailer) {
		if legend {
			out.Legend.Add(what, thumbs...)
		}
	}
	name("zero-shot", zero)
	for k, c := range p.curves {
		data := points{}
		for i, n := range c.shots {
			x := math.Log2(float64(n)) + 0.06*(float64(k)-float64(len(p.curves)-1)/2)
			data.XYs = append(data.XYs, plotter.XY{X: x, Y: c.mean[i]})
			data.YErrors = append(data.YErrors, struct{ Low, High float64 }{c.half[i], c.half[i]})
		}
		line, dots, err := plotter.NewLinePoints(data)
		if err != nil {
			return nil, err
		}
		bars, err := plotter.NewYErrorBars(data)
		if err != nil {
			return nil, err
		}
		ink := palette[k%len(palette)]
		line.Color, line.Width, dots.Color, bars.Color = ink, vg.Points(1.8), ink, ink
		dots.Shape, dots.Radius, bars.Width = draw.CircleGlyph{}, vg.Points(3), vg.Points(1.2)
		out.Add(bars, line, dots)
		name(c.method, line, dots)
	}
	return out, nil
}

// percents are multiples of 5.
func percents(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for v := 5 * math.Ceil(low/5); v <= high; v += 5 {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprint(v)})
	}
	return ticks
}
