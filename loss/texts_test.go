package loss_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/goclip/goclip/loss"
)

// ofTexts computes a loss in float64 from its definition, where texts are not one for each
// image.
func (in batch) ofTexts(objective string) float64 {
	b, n := in.b, in.texts()
	share := func(i, j int) float64 { // of text j where it is right for image i
		owner := int(in.images[j])
		switch {
		case owner < 0, owner != i && (in.groups == nil || in.groups[owner] != in.groups[i]):
			return 0
		case in.shares == nil:
			return 1
		}
		return float64(in.shares[j])
	}
	var loss float64
	if objective == "sigmoid" {
		for i := range b {
			for j := range n {
				target := (1-in.smoothing)*share(i, j) + in.smoothing/2
				z := in.logit(i, j) + float64(in.bias)
				loss += target*math.Log1p(math.Exp(-z)) + (1-target)*math.Log1p(math.Exp(z))
			}
		}
		return loss / float64(b)
	}
	// The cross-entropy of a choice among logits.
	choice := func(k int, logit, target func(int) float64) float64 {
		var sum, all, hit, mean float64
		for x := range k {
			sum, all = sum+math.Exp(logit(x)), all+target(x)
		}
		for x := range k {
			hit += target(x) / all * (math.Log(sum) - logit(x))
			mean += (math.Log(sum) - logit(x)) / float64(k)
		}
		return (1-in.smoothing)*hit + in.smoothing*mean
	}
	var asked, images, texts float64
	for i := range b {
		right := 0.0
		for j := range n {
			right += share(i, j)
		}
		if right > 0 {
			images += choice(n, func(j int) float64 { return in.logit(i, j) }, func(j int) float64 { return share(i, j) }) / float64(b)
		}
	}
	for j := range n {
		if in.images[j] < 0 {
			continue
		}
		weight := share(int(in.images[j]), j)
		if asked += weight; weight > 0 {
			texts += weight * choice(b, func(i int) float64 { return in.logit(i, j) }, func(i int) float64 { return share(i, j) })
		}
	}
	return (images + texts/asked) / 2
}

// manyTexts are 5 images with 9 texts of all kinds.
func manyTexts() batch {
	in, more := random(3, 5, 4, 4), random(8, 9, 4, 4)
	in.n, in.text = 9, more.text
	in.images = []int32{2, 0, -1, 3, 1, 1, -1, 1, 0} // image 4 has none, image 3 one
	return in
}

// TestTextsOfAllKinds: hard negatives, several texts of an image, with shares and without, and
// an image that has none.
func TestTextsOfAllKinds(t *testing.T) {
	for _, c := range []struct {
		what      string
		shares    []float32
		groups    []int32
		smoothing float64
	}{
		{what: "plain"},
		{what: "shares", shares: []float32{0.5, 1, 1, 0.25, 0.5, 0.125, 0, 0, 0.75}},
		{what: "groups", groups: []int32{3, 1, 2, 3, 5}},
		{what: "all", shares: []float32{0.5, 1, 1, 0.25, 0.5, 0.125, 0, 0, 0.75}, groups: []int32{3, 1, 2, 3, 5}, smoothing: 0.2},
	} {
		for _, objective := range []string{"infonce", "sigmoid"} {
			in := manyTexts()
			in.shares, in.groups, in.smoothing = c.shares, c.groups, c.smoothing
			t.Run(objective+", "+c.what, func(t *testing.T) {
				in.checkGradients(t, objective, func(name string) float64 { return in.reference(name) })
			})
		}
	}
}

// TestHardNegatives: where each pair brings a text that is wrong for all, the gradient pushes
// the images away from it.
func TestHardNegatives(t *testing.T) {
	for _, objective := range []string{"infonce", "sigmoid"} {
		in := random(5, 8, 16, 30)
		plain := in.run(t, objective)
		hard := in
		hard.n, hard.text = 16, append(append([]float32{}, in.text...), in.image...)
		hard.images = []int32{0, 1, 2, 3, 4, 5, 6, 7, -1, -1, -1, -1, -1, -1, -1, -1}
		got := hard.run(t, objective)
		if !(got.cost > plain.cost+1) {
			t.Errorf("%s with hard negatives is %g, want far above %g", objective, got.cost, plain.cost)
		}
		for i := range 8 {
			var push float64
			for k := range 16 {
				push += float64(got.text[(8+i)*16+k]) * float64(in.image[i*16+k])
			}
			if !(push > 0) {
				t.Errorf("%s: hard negative %d: gradient along its image %g, want more than 0", objective, i, push)
			}
		}
	}
}

// TestOneByOneTexts: said in full, the usual targets give the usual bits.
func TestOneByOneTexts(t *testing.T) {
	for _, objective := range []string{"infonce", "sigmoid"} {
		in := random(2, 7, 8, 10)
		said := in
		said.n, said.images, said.shares = 7, []int32{0, 1, 2, 3, 4, 5, 6}, []float32{1, 1, 1, 1, 1, 1, 1}
		a, b := in.run(t, objective), said.run(t, objective)
		near(t, objective, b.cost, a.cost, 0)
		for i := range a.image {
			near(t, fmt.Sprintf("gradient of image[%d]", i), float64(b.image[i]), float64(a.image[i]), 0)
			near(t, fmt.Sprintf("gradient of text[%d]", i), float64(b.text[i]), float64(a.text[i]), 0)
		}
	}
}

// TestDistillationOfTexts: the teacher's choices among more texts than images.
func TestDistillationOfTexts(t *testing.T) {
	in, teacher := manyTexts(), random(9, 5, 3, 7)
	teacher.n, teacher.text = 9, random(10, 9, 3, 7).text
	in.teacher, in.share = &teacher, 1
	in.checkGradients(t, "infonce", func(name string) float64 { return in.reference(name) })
}

// softmaxRow is a cross-entropy of an image's choice among texts, of one's own.
func softmaxRow(b int) func(*loss.Row) float64 {
	return func(r *loss.Row) float64 {
		if len(r.Right) == 0 {
			return 0
		}
		var sum, right float64
		for _, s := range r.Similarities {
			sum += math.Exp(r.Scale * float64(s))
		}
		for _, share := range r.Shares {
			right += share
		}
		value := math.Log(sum)
		for j, s := range r.Similarities {
			p := math.Exp(r.Scale*float64(s)) / sum
			r.Gradient[j] = float32(r.Scale * p / float64(b))
			r.GradScale += p * float64(s) / float64(b)
		}
		for k, j := range r.Right {
			target, s := r.Shares[k]/right, float64(r.Similarities[j])
			value -= target * r.Scale * s
			r.Gradient[j] -= float32(r.Scale * target / float64(b))
			r.GradScale -= target * s / float64(b)
		}
		return value / float64(b)
	}
}

// TestOwnByRows: InfoNCE written by hand, as a loss of rows and of columns, has its gradients.
func TestOwnByRows(t *testing.T) {
	in := random(3, 6, 5, 4)
	in.groups = []int32{7, 1, 7, 2, 1, 7}
	in.own = loss.Mix(0.5, loss.ByRows("images", softmaxRow(6)), loss.ByColumns("texts", softmaxRow(6)))
	if got, want := in.own.Name(), "0.5 images + 0.5 texts"; got != want {
		t.Errorf("the name is %q, want %q", got, want)
	}
	in.checkGradients(t, "infonce", func(name string) float64 { return in.reference(name) })
	in.own = loss.ByRows("images", nil)
	if _, err := in.own.Forward(loss.Input{}); err == nil || err.Error() != "loss: ByRows: the function is nil" {
		t.Errorf("of no function: got error %v", err)
	}
}
