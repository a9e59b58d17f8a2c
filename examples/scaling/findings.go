package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/goclip/goclip/scaling"
)

const level = 0.9 // of all intervals

// findings is what the records of a grid say.
type findings struct {
	grid []scaling.Record

	joint     *scaling.Fit[scaling.Joint] // held-out loss over parameters and samples
	perSample *scaling.Fit[scaling.Power] // FLOPs of a pair over parameters

	// Laws of one resource, each nil where the records have none, as refused says.
	params, samples *scaling.Fit[scaling.Power] // loss, where the other is as large as all have it
	compute         *scaling.Fit[scaling.Power] // loss of the frontier
	wrong           *scaling.Fit[scaling.Power] // zero-shot error of the frontier
	atSamples       int                         // of params
	atSize          size                        // of samples
	frontier        []scaling.Point             // of compute
	refused         []string
}

// bins of compute, from each of which the best run is taken.
const bins = 6

// analyse fits the laws to a grid, the joint one to runs on repeated images, too.
func analyse(grid, repeated []scaling.Record, p plan, images int, seed uint64) (*findings, error) {
	f := &findings{grid: grid}
	o := &scaling.Options{Seed: seed}
	var runs []scaling.Sample
	var costs, losses, errors, byParams, bySamples []scaling.Point
	f.atSamples, f.atSize = p.shared()
	for _, r := range grid {
		n, d := float64(r.Params), float64(r.Samples())
		runs = append(runs, sample(r))
		costs = append(costs, scaling.Point{X: n, Y: r.FLOPs / d})
		losses = append(losses, scaling.Point{X: r.FLOPs, Y: r.Loss})
		// No mistake in so many images is counted as half a one: laws have no zero.
		errors = append(errors, scaling.Point{X: r.FLOPs, Y: max(r.Error, 0.5/float64(images))})
		if r.Samples() == f.atSamples {
			byParams = append(byParams, scaling.Point{X: n, Y: r.Loss})
		}
		if (size{r.Width, r.Layers}) == f.atSize {
			bySamples = append(bySamples, scaling.Point{X: d, Y: r.Loss})
		}
	}
	// What repeats are worth is asked only where the grid has them, and of no more than it has.
	for _, r := range repeated {
		known := slices.ContainsFunc(grid, func(g scaling.Record) bool { return g.Run == r.Run })
		if !known && slices.ContainsFunc(grid, func(g scaling.Record) bool { return again(g) > 1 && again(g) >= again(r) }) {
			runs = append(runs, sample(r))
		}
	}
	var err error
	if f.joint, err = scaling.FitJoint(runs, o); err != nil {
		return nil, err
	}
	if f.perSample, err = scaling.FitLine(costs, o); err != nil {
		return nil, err
	}
	if f.frontier, err = scaling.Frontier(losses, bins); err != nil {
		return nil, err
	}
	try := func(what string, fit func() (*scaling.Fit[scaling.Power], error)) *scaling.Fit[scaling.Power] {
		law, err := fit()
		if err != nil {
			f.refused = append(f.refused, fmt.Sprintf("%s: %v", what, err))
		}
		return law
	}
	f.params = try("loss over parameters", func() (*scaling.Fit[scaling.Power], error) { return scaling.FitPower(byParams, o) })
	f.samples = try("loss over samples", func() (*scaling.Fit[scaling.Power], error) { return scaling.FitPower(bySamples, o) })
	f.compute = try("loss over compute", func() (*scaling.Fit[scaling.Power], error) { return scaling.FitPower(f.frontier, o) })
	f.wrong = try("error over compute", func() (*scaling.Fit[scaling.Power], error) { return scaling.FitFrontier(errors, bins, o) })
	return f, nil
}

func sample(r scaling.Record) scaling.Sample {
	return scaling.Sample{N: float64(r.Params), D: float64(r.Samples()), Unique: float64(r.Unique), Y: r.Loss}
}

// again is how often a run saw each of its images.
func again(r scaling.Record) float64 { return float64(r.Samples()) / float64(r.Unique) }

// most returns the FLOPs of the most expensive run.
func (f *findings) most() float64 {
	return slices.MaxFunc(f.grid, func(a, b scaling.Record) int { return int(math.Copysign(1, a.FLOPs-b.FLOPs)) }).FLOPs
}

// rate returns the FLOPs a second that the grid was trained at on one core.
func (f *findings) rate() float64 {
	var flops, seconds float64
	for _, r := range f.grid {
		flops, seconds = flops+r.FLOPs, seconds+r.Seconds
	}
	return flops / seconds
}

// spend says what a budget is best spent on, and what comes of it.
type spend struct {
	FLOPs, Params, Samples, Loss         float64
	ParamsRange, SamplesRange, LossRange scaling.Interval // the loss's of the law, not of one run
}

func (f *findings) spend(flops float64) spend {
	optimal := func(j scaling.Joint) (n, d float64) { return j.Optimal(flops, f.perSample.Law) }
	n, d := optimal(f.joint.Law)
	return spend{
		FLOPs: flops, Params: n, Samples: d, Loss: f.joint.Law.At(n, d),
		ParamsRange:  f.joint.Interval(level, func(j scaling.Joint) float64 { n, _ := optimal(j); return n }),
		SamplesRange: f.joint.Interval(level, func(j scaling.Joint) float64 { _, d := optimal(j); return d }),
		LossRange:    f.joint.Interval(level, func(j scaling.Joint) float64 { return j.At(optimal(j)) }),
	}
}

// trial is a run larger than all that the laws were fitted to, what they say about
// it, and what came of it.
type trial struct {
	Run                   scaling.Run
	Params                int
	FLOPs                 float64
	Loss, Error           float64
	LossRange, ErrorRange scaling.Interval // for one run
	Record                scaling.Record
}

// propose chooses, for a budget, the size that the joint law expects the least loss
// of, and predicts it. The law counts samples as if each were new: a size for which a
// finite set would come round more often than in the grid is none to predict.
func (f *findings) propose(s *study, p plan) (*trial, error) {
	var best *trial
	sizes := p.candidates()
	for i, z := range sizes {
		cost, err := s.cost(z)
		if err != nil {
			return nil, err
		}
		n, err := s.params(z)
		if err != nil {
			return nil, err
		}
		r := s.run(z, int(math.Ceil(p.beyond*f.most()/cost/batchSize))*batchSize)
		again := r.Samples() > max(p.samples[len(p.samples)-1], r.Unique)
		if last := i == len(sizes)-1 && best == nil; again && !last {
			continue
		}
		d := float64(r.Samples())
		loss := func(j scaling.Joint) float64 { return j.AtRepeated(float64(n), d, float64(r.Unique)) }
		if best == nil || loss(f.joint.Law) < best.Loss {
			best = &trial{
				Run: r, Params: n, FLOPs: cost * d,
				Loss: loss(f.joint.Law), LossRange: f.joint.PredictBeyond(level, loss),
			}
		}
	}
	if f.wrong != nil {
		wrong := func(l scaling.Power) float64 { return l.At(best.FLOPs) }
		best.Error, best.ErrorRange = wrong(f.wrong.Law), f.wrong.PredictBeyond(level, wrong)
	}
	return best, nil
}
