package train

import (
	"fmt"
	"slices"
)

// Diagnosis checks the stats of the steps for signs that training goes wrong,
// and reports them as sentences. The zero value is ready to use, for one run.
type Diagnosis struct {
	// Window is the number of steps that are averaged; zero means 100.
	Window int

	past
}

// past is what a diagnosis remembers of a run, and part of a checkpoint, so that a resumed
// run says what one says that was not interrupted.
type past struct {
	Recent []Stats `json:"recent"`         // of the last steps, at most Window
	Warm   int     `json:"warm"`           // steps since the learning rate has stopped rising
	Alike  int     `json:"alike"`          // steps in a row whose pairs all had one right answer
	Peak   float64 `json:"peak,omitempty"` // the highest learning rate
	Told   [7]bool `json:"told"`           // what is wrong and was said
	Course course  `json:"course"`         // the whole run, for its end
}

// Look takes the stats of a step and returns warnings, each once until its
// cause is gone:
//
//   - the loss has stayed at chance level for a window after the warm-up;
//   - exp(logit_scale) has been at its limit for a window;
//   - the embeddings of a tower have collapsed to one vector;
//   - the gradient norm has exploded;
//   - pairs repeat an image or a caption of their batch and count as wrong
//     answers for it;
//   - batches whose pairs all share one right answer, from which nothing is learnt.
//
// The warm-up ends with the first step whose learning rate is not above that of
// the step before.
func (d *Diagnosis) Look(s Stats) []string {
	if d.Window < 1 {
		d.Window = 100
	}
	if n := len(d.Recent); d.Warm > 0 || n > 0 && s.LR <= d.Recent[n-1].LR {
		d.Warm++
	}
	d.Peak = max(d.Peak, s.LR)
	explosion := d.explosion(s) // compares with the steps before
	if d.Alike++; s.Answers != 1 {
		d.Alike = 0
	}
	d.Course.add(s)
	d.Recent = append(d.Recent, s)
	if len(d.Recent) > d.Window {
		d.Recent = slices.Delete(d.Recent, 0, 1)
	}
	var said []string
	for i, wrong := range []string{
		d.chance(), d.limit(s), explosion, d.repeats(), d.oneAnswer(s),
		d.collapse("image", "image", func(s Stats) float64 { return s.ImageCosine }),
		d.collapse("text", "caption", func(s Stats) float64 { return s.TextCosine }),
	} {
		if wrong != "" && !d.Told[i] {
			said = append(said, wrong)
		}
		d.Told[i] = wrong != ""
	}
	return said
}

func (d *Diagnosis) chance() string {
	loss, chance := d.mean(func(s Stats) float64 { return s.Loss }), d.mean(func(s Stats) float64 { return s.Chance })
	if d.Warm < d.Window || !(loss > 0.98*chance) || chance == 0 { // nobody knows it
		return ""
	}
	return fmt.Sprintf("the loss is at chance: %.3f over the last %d steps, chance level is %.3f; "+
		"is the learning rate of %.2g too small or too large, or do the captions not belong to their images?", loss, d.Window, chance, d.Peak)
}

func (d *Diagnosis) limit(s Stats) string {
	if !d.full() || slices.ContainsFunc(d.Recent, func(s Stats) bool { return !s.Clamped }) {
		return ""
	}
	return fmt.Sprintf("exp(logit_scale) has been at its limit, %.4g, for %d steps; "+
		"is the learning rate of %.2g too large, or the set too small or mislabelled?", s.LogitScale, d.Window, d.Peak)
}

func (d *Diagnosis) collapse(tower, input string, of func(Stats) float64) string {
	cosine := d.mean(of)
	if d.Warm < d.Window || !(cosine > 0.95) {
		return ""
	}
	return fmt.Sprintf("the %s embeddings have collapsed: two embeddings of a batch have a mean cosine of %.3f over the last %d steps; "+
		"is the learning rate of %.2g too large, or is it always the same %s?", tower, cosine, d.Window, d.Peak, input)
}

func (d *Diagnosis) explosion(s Stats) string {
	if !d.full() {
		return ""
	}
	var norms []float64
	for _, r := range d.Recent {
		norms = append(norms, r.GradNorm)
	}
	slices.Sort(norms)
	median := norms[len(norms)/2]
	if !(s.GradNorm > 20*median) {
		return ""
	}
	return fmt.Sprintf("the gradient norm has exploded: %.3g, where its median over the %d steps before is %.3g; "+
		"a smaller learning rate than %.2g, a longer warm-up or Config.ClipNorm would hold it", s.GradNorm, d.Window, median, s.LR)
}

func (d *Diagnosis) repeats() string {
	repeated, pairs := 0, 0
	for _, s := range d.Recent {
		repeated, pairs = repeated+s.Repeated, pairs+s.Pairs
	}
	if !d.full() || 100*repeated < pairs {
		return ""
	}
	return fmt.Sprintf("%d of the last %d pairs have the image or the caption of another pair of their batch, for which they count as wrong answers; "+
		"is Config.Groups as it should be, and is the set free of duplicates?", repeated, pairs)
}

func (d *Diagnosis) oneAnswer(s Stats) string {
	if d.Alike < 3 {
		return ""
	}
	return fmt.Sprintf("all %d pairs of each of the last %d batches have the same right answer, so there is nothing to tell apart; "+
		"are the captions all alike, is the set not shuffled, or is Config.Groups as it should be?", s.Pairs, d.Alike)
}

func (d *Diagnosis) full() bool { return len(d.Recent) == d.Window }

func (d *Diagnosis) mean(of func(Stats) float64) float64 {
	sum := 0.0
	for _, s := range d.Recent {
		sum += of(s)
	}
	return sum / float64(len(d.Recent))
}
