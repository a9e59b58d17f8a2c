package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/goclip/goclip/scaling"
)

//go:embed page.html
var pageText string

// page is what page.html shows.
type page struct {
	Set                     string
	Batch, Classes          int
	Chance                  float64
	Grid, Records           []scaling.Record
	N, D                    scaling.Interval
	Law                     scaling.Joint
	R2                      float64
	Largest                 part
	Shares                  []part
	Back, Now, Next, Hour   spend
	HourOver                float64
	Budgets                 []spend
	Trial                   *trial
	TrialOver, TrialSamples float64
	LossHeld, ErrorHeld     bool
	LossVerdict             string
	ErrorVerdict            string
	HasError                bool
	ParamsPower             float64
	SamplesPower            float64
	Laws                    []lawRow
	Refused                 []string
}

// NoFloor tells that the irreducible term rounds to nothing.
func (p *page) NoFloor() bool { return p.Law.E < 0.0005 }

// part is what the joint law says the loss of a run consists of.
type part struct{ N, D, Loss, Params, Samples, E, P, S float64 }

// Scarce names the resource that would save more.
func (p part) Scarce() string {
	if p.Params > p.Samples {
		return "the size of the model"
	}
	return "the amount of data"
}

func (f *findings) part(n, d float64) part {
	l := f.joint.Law
	p := part{N: n, D: d, Loss: l.At(n, d), Params: l.Params(n), Samples: l.Samples(d)}
	worst := l.At(f.joint.Ranges[0].Low, f.joint.Ranges[1].Low)
	p.E, p.P, p.S = 100*l.E/worst, 100*p.Params/worst, 100*p.Samples/worst
	return p
}

func (r *report) page() *page {
	f, t, most := r.findings, r.trial, r.most()
	last := f.grid[slices.IndexFunc(f.grid, func(x scaling.Record) bool { return x.FLOPs == most })]
	p := &page{
		Set: r.sets.title, Batch: batchSize, Classes: len(r.sets.classes), Chance: math.Log(batchSize),
		Grid: f.grid, Records: slices.Concat(f.grid, r.repeated, []scaling.Record{t.Record}),
		N: f.joint.Ranges[0], D: f.joint.Ranges[1], Law: f.joint.Law, R2: f.joint.R2,
		Largest: f.part(float64(last.Params), float64(last.Samples())),
		Back:    f.spend(most / 10), Now: f.spend(most), Next: f.spend(10 * most), Hour: f.spend(r.hour()), HourOver: r.hour() / most,
		Trial: t, TrialOver: t.FLOPs / most, TrialSamples: float64(t.Run.Samples()),
		LossHeld: t.LossRange.Contains(t.Record.Loss), LossVerdict: verdict(t.LossRange, t.Record.Loss),
		HasError: f.wrong != nil, ErrorHeld: t.ErrorRange.Contains(t.Record.Error), ErrorVerdict: verdict(t.ErrorRange, t.Record.Error),
		Laws: r.laws(), Refused: f.refused,
	}
	for _, n := range []float64{p.N.Low, p.N.High} {
		for _, d := range []float64{p.D.Low, p.D.High} {
			p.Shares = append(p.Shares, f.part(n, d))
		}
	}
	for budget := most / 100; budget <= 11*most; budget *= 10 {
		p.Budgets = append(p.Budgets, f.spend(budget))
	}
	p.ParamsPower = math.Log10(p.Next.Params / p.Now.Params)
	p.SamplesPower = math.Log10(p.Next.Samples / p.Now.Samples)
	return p
}

// prologue is what an SVG file has before its element.
var prologue = regexp.MustCompile(`(?s)^.*?(<svg)`)

// write makes the page, with the plots that lie beside it, one file.
func (r *report) write(path string) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"short": short,
		"span":  span,
		"fine":  fine,
		"plot": func(name string) (template.HTML, error) {
			svg, err := os.ReadFile(filepath.Join(filepath.Dir(path), name+".svg"))
			return template.HTML(prologue.ReplaceAll(svg, []byte("$1"))), err
		},
	}).Parse(pageText)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, r.page()); err != nil {
		return err
	}
	return replace(path, text.Bytes())
}
