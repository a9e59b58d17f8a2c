package main

import (
	"fmt"
	"io"

	"github.com/goclip/goclip/scaling"
)

// report is all that is told.
type report struct {
	*findings
	*trial
	repeated []scaling.Record
	sets     *sets
	cores    int
}

// lawRow is a law in words.
type lawRow struct {
	Name, Formula, Exponent, Range string
	R2                             float64
	N                              int
}

func (r *report) laws() []lawRow {
	j := r.joint
	exponent := func(of func(scaling.Joint) float64) string {
		return fmt.Sprintf("%.3f [%s]", of(j.Law), fine(j.Interval(level, of)))
	}
	rows := []lawRow{{
		Name:    "loss over parameters N and samples D",
		Formula: fmt.Sprintf("%.3f + %.3g·N^−α + %.3g·D^−β", j.Law.E, j.Law.A, j.Law.B),
		Exponent: "α " + exponent(func(j scaling.Joint) float64 { return j.Alpha }) +
			", β " + exponent(func(j scaling.Joint) float64 { return j.Beta }),
		Range: span(j.Ranges[0]) + " parameters, " + span(j.Ranges[1]) + " samples", R2: j.R2, N: j.N,
	}}
	for _, c := range []struct {
		name, x string
		fit     *scaling.Fit[scaling.Power]
	}{
		{"loss over parameters, " + short(float64(r.atSamples)) + " samples", "N", r.params},
		{fmt.Sprintf("loss over samples, width %d, layers %d", r.atSize.width, r.atSize.layers), "D", r.samples},
		{"loss over FLOPs, frontier", "C", r.compute},
		{"zero-shot error over FLOPs, frontier", "C", r.wrong},
		{"FLOPs of a sample over parameters", "N", r.perSample},
	} {
		if c.fit == nil {
			continue
		}
		alpha := func(l scaling.Power) float64 { return l.Alpha }
		rows = append(rows, lawRow{
			Name: c.name, Formula: formula(c.fit.Law, c.x), R2: c.fit.R2, N: c.fit.N, Range: span(c.fit.Ranges[0]),
			Exponent: fmt.Sprintf("%.3f [%s]", c.fit.Law.Alpha, fine(c.fit.Interval(level, alpha))),
		})
	}
	return rows
}

// print tells the laws and the prediction.
func (r *report) print(w io.Writer) {
	for _, l := range r.laws() {
		fmt.Fprintf(w, "%s: %s; exponent %s; R² %.3f; %d points, %s\n", l.Name, l.Formula, l.Exponent, l.R2, l.N, l.Range)
	}
	for _, why := range r.refused {
		fmt.Fprintf(w, "no law of %s\n", why)
	}
	hour := r.spend(r.hour())
	fmt.Fprintf(w, "the next hour, %s FLOPs at this machine's pace: %s parameters [%s] on %s samples [%s], loss %.3f [%s]\n",
		short(hour.FLOPs), short(hour.Params), span(hour.ParamsRange), short(hour.Samples), span(hour.SamplesRange), hour.Loss, fine(hour.LossRange))
	fmt.Fprintf(w, "prediction for width %d, layers %d, %d samples, %s FLOPs, %.1f times the most that was fitted: loss %.3f, 90 %% interval %s\n",
		r.Run.Width, r.Run.Layers, r.Run.Samples(), short(r.FLOPs), r.FLOPs/r.most(), r.Loss, fine(r.LossRange))
}

// printOutcome tells what came of the predicted run.
func (r *report) printOutcome(w io.Writer) {
	fmt.Fprintf(w, "measured: loss %.3f, %s\n", r.Record.Loss, verdict(r.LossRange, r.Record.Loss))
	if r.wrong != nil {
		fmt.Fprintf(w, "zero-shot error: predicted %.1f %%, 90 %% interval %.1f to %.1f %%; measured %.1f %%, %s\n",
			100*r.Error, 100*r.ErrorRange.Low, 100*r.ErrorRange.High, 100*r.Record.Error, verdict(r.ErrorRange, r.Record.Error))
	}
}

// hour is the FLOPs of one hour at the pace of the grid, all cores busy.
func (r *report) hour() float64 { return 3600 * r.rate() * float64(r.cores) }

func verdict(i scaling.Interval, v float64) string {
	switch {
	case i.Contains(v):
		return "within its interval"
	case v < i.Low:
		return "BELOW its interval: better than the law says"
	}
	return "ABOVE its interval: worse than the law says"
}

func span(i scaling.Interval) string { return short(i.Low) + " to " + short(i.High) }

func fine(i scaling.Interval) string { return fmt.Sprintf("%.3f to %.3f", i.Low, i.High) }
