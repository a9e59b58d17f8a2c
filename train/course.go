package train

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// course is what a run's end is judged by: its loss in tenths, and its tests.
type course struct {
	Steps int       `json:"steps"`
	Each  int       `json:"each"`  // steps of a part
	Parts []float64 `json:"parts"` // sums of the loss over Each steps, at most 2·tenths of them
	Last  Stats     `json:"last"`
	Tests []tested  `json:"tests,omitempty"`
}

type tested struct {
	Step   int                `json:"step"`
	Shares map[string]float64 `json:"test"`
}

const tenths = 10

// sound says that what a checkpoint holds can be gone on with.
func (p *past) sound() bool {
	if p == nil || p.Course.Steps < 0 || p.Course.Each < 1 {
		return false
	}
	return len(p.Course.Parts) == (p.Course.Steps+p.Course.Each-1)/p.Course.Each && len(p.Course.Parts) <= 2*tenths
}

func (c *course) add(s Stats) {
	c.Each = max(c.Each, 1)
	if c.Steps%c.Each == 0 {
		if len(c.Parts) == 2*tenths {
			for i := range tenths {
				c.Parts[i] = c.Parts[2*i] + c.Parts[2*i+1]
			}
			c.Parts, c.Each = c.Parts[:tenths], 2*c.Each
		}
		c.Parts = append(c.Parts, 0)
	}
	c.Parts[len(c.Parts)-1] += s.Loss
	c.Steps, c.Last = c.Steps+1, s
}

// whole are the means of the parts that are over.
func (c *course) whole() []float64 {
	means := make([]float64, c.Steps/max(c.Each, 1))
	for i := range means {
		means[i] = c.Parts[i] / float64(c.Each)
	}
	return means
}

// Tested takes what a test measured after a step; nothing where there was none.
func (d *Diagnosis) Tested(step int, shares map[string]float64) {
	if d != nil && shares != nil {
		d.Course.Tests = append(d.Course.Tests, tested{step, shares})
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
	if d == nil || d.Course.Steps == 0 {
		return nil
	}
	said := append(d.ended(), d.Course.short(), d.Course.overfitted())
	return slices.DeleteFunc(said, func(s string) bool { return s == "" })
}

// ended is what the last tenth of the run shows and no window was long enough for.
func (d *Diagnosis) ended() []string {
	n := min(len(d.Recent), max(10, d.Course.Steps/tenths))
	end := Diagnosis{Window: n, past: past{Recent: d.Recent[len(d.Recent)-n:], Warm: n, Peak: d.Peak}}
	last := d.Course.Last
	all := []string{
		end.chance(), end.limit(last), "", "", "",
		end.collapse("image", "image", func(s Stats) float64 { return s.ImageCosine }),
		end.collapse("text", "caption", func(s Stats) float64 { return s.TextCosine }),
	}
	for i := range all {
		if d.Told[i] {
			all[i] = ""
		}
	}
	return all
}

// short says that the loss was still falling: by more than a twentieth from the last but
// one tenth to the last, and still more than a fifth of what chance gives.
func (c *course) short() string {
	parts := c.whole()
	if len(parts) < tenths || c.Last.Chance == 0 {
		return ""
	}
	k := len(parts) / tenths
	before, end := mean(parts[len(parts)-2*k:len(parts)-k]), mean(parts[len(parts)-k:])
	if !(end < 0.95*before && end > 0.2*c.Last.Chance && end < 0.98*c.Last.Chance) {
		return ""
	}
	return fmt.Sprintf("the training may be too short: the loss was still falling at its end, from %.3f to %.3f over its last fifth, where chance is %.3f; "+
		"would more steps bring more?", before, end, c.Last.Chance)
}

// overfitted says that a test has grown worse by a twentieth of its best, and more than
// two points, while the loss fell.
func (c *course) overfitted() string {
	if len(c.Tests) < 3 {
		return ""
	}
	last, parts := c.Tests[len(c.Tests)-1], c.whole()
	for _, name := range slices.Sorted(maps.Keys(last.Shares)) {
		best := slices.MaxFunc(c.Tests, func(a, b tested) int { return cmp.Compare(a.Shares[name], b.Shares[name]) })
		drop := best.Shares[name] - last.Shares[name]
		at := min(len(parts)-1, best.Step/c.Each)
		if at < 0 || !(drop > max(0.02, 0.05*best.Shares[name])) || !(parts[len(parts)-1] < parts[at]) {
			continue
		}
		return fmt.Sprintf("over-fitted: %s was %.1f %% after step %d and is %.1f %% after step %d, while the loss fell from %.3f to %.3f; "+
			"keep the best model, take fewer steps, or more data, augmentation or weight decay",
			name, 100*best.Shares[name], best.Step, 100*last.Shares[name], last.Step, parts[at], parts[len(parts)-1])
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
