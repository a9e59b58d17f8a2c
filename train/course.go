package train

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// course is what a run's end is judged by: its loss in tenths, and its tests.
type course struct {
	steps  int
	each   int       // steps of a part
	parts  []float64 // sums of the loss over each steps, at most 2·tenths of them
	chance float64
	last   Stats
	tests  []tested
}

type tested struct {
	step   int
	shares map[string]float64
}

const tenths = 10

func (c *course) add(s Stats) {
	c.each = max(c.each, 1)
	if c.steps%c.each == 0 {
		if len(c.parts) == 2*tenths {
			for i := range tenths {
				c.parts[i] = c.parts[2*i] + c.parts[2*i+1]
			}
			c.parts, c.each = c.parts[:tenths], 2*c.each
		}
		c.parts = append(c.parts, 0)
	}
	c.parts[len(c.parts)-1] += s.Loss
	c.steps, c.chance, c.last = c.steps+1, s.Chance, s
}

// whole are the means of the parts that are over.
func (c *course) whole() []float64 {
	means := make([]float64, c.steps/max(c.each, 1))
	for i := range means {
		means[i] = c.parts[i] / float64(c.each)
	}
	return means
}

// Tested takes what a test measured after a step; nothing where there was none.
func (d *Diagnosis) Tested(step int, shares map[string]float64) {
	if d != nil && shares != nil {
		d.course.tests = append(d.course.tests, tested{step, shares})
	}
}

// End judges a run that is over, however short it was, and says what [Diagnosis.Look]
// has not said before:
//
//   - the loss ended at chance level, the embeddings as one vector, or exp(logit_scale) at
//     its limit;
//   - the loss was still falling, so that the training was too short;
//   - a test was better on the way than at the end while the loss fell, which is
//     over-fitting.
func (d *Diagnosis) End() []string {
	if d == nil || d.course.steps == 0 {
		return nil
	}
	said := append(d.ended(), d.course.short(), d.course.overfitted())
	return slices.DeleteFunc(said, func(s string) bool { return s == "" })
}

// ended is what the last tenth of the run shows and no window was long enough for.
func (d *Diagnosis) ended() []string {
	n := min(len(d.recent), max(1, d.course.steps/tenths))
	end := Diagnosis{Window: n, recent: d.recent[len(d.recent)-n:], warm: n}
	last := d.course.last
	all := []string{
		end.chance(last), end.limit(last), "", "", "",
		end.collapse(last, "image", "image", func(s Stats) float64 { return s.ImageCosine }),
		end.collapse(last, "text", "caption", func(s Stats) float64 { return s.TextCosine }),
	}
	for i := range all {
		if d.told[i] {
			all[i] = ""
		}
	}
	return all
}

// short says that the loss was still falling: by more than a twentieth from the last but
// one tenth to the last, and still more than a fifth of what chance gives.
func (c *course) short() string {
	parts := c.whole()
	if len(parts) < tenths || c.chance == 0 {
		return ""
	}
	k := len(parts) / tenths
	before, end := mean(parts[len(parts)-2*k:len(parts)-k]), mean(parts[len(parts)-k:])
	if !(end < 0.95*before && end > 0.2*c.chance && end < 0.98*c.chance) {
		return ""
	}
	return fmt.Sprintf("the training may be too short: the loss was still falling at its end, from %.3f to %.3f over its last fifth, where chance is %.3f; "+
		"would more steps bring more?", before, end, c.chance)
}

// overfitted says that a test has grown worse by a twentieth of its best, and more than
// two points, while the loss fell.
func (c *course) overfitted() string {
	if len(c.tests) < 3 {
		return ""
	}
	last, parts := c.tests[len(c.tests)-1], c.whole()
	for _, name := range slices.Sorted(maps.Keys(last.shares)) {
		best := slices.MaxFunc(c.tests, func(a, b tested) int { return cmp.Compare(a.shares[name], b.shares[name]) })
		drop := best.shares[name] - last.shares[name]
		at := min(len(parts)-1, best.step/c.each)
		if at < 0 || !(drop > max(0.02, 0.05*best.shares[name])) || !(parts[len(parts)-1] < parts[at]) {
			continue
		}
		return fmt.Sprintf("over-fitted: %s was %.1f %% after step %d and is %.1f %% after step %d, while the loss fell from %.3f to %.3f; "+
			"keep the best model, take fewer steps, or more data, augmentation or weight decay",
			name, 100*best.shares[name], best.step, 100*last.shares[name], last.step, parts[at], parts[len(parts)-1])
	}
	return ""
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
