package loss

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/nn"
)

// InfoNCE is CLIP's symmetric cross-entropy (Radford et al., 2021, figure 3): the
// mean of the cross-entropies of the right text for each image and of the right
// image for each text, among the B images and N texts of the batch. Several right answers
// have equal weight, or that of [Targets].Shares, and label smoothing is spread over all
// answers alike; texts that are wrong for all images ask for none. Its value at scale 0 is
// ln B where there are as many texts. The bias is not read. No more than 8 MB of logits, or
// those of 256 images, are in memory at once.
type InfoNCE struct{}

// Name is "infonce".
func (InfoNCE) Name() string { return "infonce" }

// Chance is ln B, whatever the label smoothing.
func (InfoNCE) Chance(b int, _ float64) float64 { return math.Log(float64(b)) }

// Forward implements [Loss].
func (InfoNCE) Forward(in Input) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss")
	b, n, d := in.sizes("InfoNCE")
	t := in.Targets
	f := choices{contrast: newContrast(b, n, d)}
	f.divide(in.Share)
	nodes, back := t.inputs([]*G.Node{in.Image, in.Text, in.Scale}, f.pullbacks(func(x nn.Inputs) { f.backward(float64(x.F32(2)[0])) })[:3])
	return nn.Apply(nn.Op{
		Name: "InfoNCE",
		Forward: func(y []float32, x nn.Inputs) {
			f.right = t.resolve(x[3:], b, n)
			f.begin(x.F32(0), x.F32(1), x.F32(2)[0], f.right.places(f.right.pair))
			y[0] = float32(f.value())
		},
		Backward: back,
	}, nodes...), nil
}

// choices are those of the images among the texts and of the texts among the images. What a
// pair alone has is apart, in float64: where the model is sure of it, what it misses is small
// beside 1, and all other gradients of its row are in proportion to its exponential.
type choices struct {
	*contrast
	right    *right
	sums     *sums
	his, los []float32 // the references of the texts
}

// value is the loss.
func (f *choices) value() float64 {
	hits := make([]float64, f.b)
	hit := func(first, rows int, sim []float32) {
		parallel.For(rows, func(r int) { hits[first+r] = f.hit(first+r, sim[r*f.n:][:f.n]) })
	}
	if f.share == nil {
		f.sums = f.contrast.sums(hit)
	} else {
		f.sums = f.sharedSums(hit)
		f.share.gather(f.share.Images, hits)
	}
	loss := -float64(f.scale) * total(hits)
	for i, others := range f.sums.image {
		texts, sims := f.apart.of(i)
		for k, j := range texts {
			z := float64(f.scale) * sims[k]
			loss += f.right.asks(i)/2*softplus(others-z) + f.right.weight(int(j))/2*softplus(f.sums.text[j]-z)
		}
		if len(texts) == 0 && f.right.asks(i) > 0 {
			loss += f.right.asks(i) / 2 * others
		}
	}
	for j, all := range f.sums.text {
		if w := f.right.weight(j); w > 0 && !f.right.pair(int(f.right.groups[f.right.of[j]].images[0])) {
			loss += w / 2 * all
		}
	}
	return loss
}

// hit is Σ target·similarity of image i, but for what is apart: of that, what smoothing takes
// from it.
func (f *choices) hit(i int, sim []float32) (hit float64) {
	texts, sims := f.apart.of(i)
	if len(texts) == 0 {
		for _, j := range f.right.texts(i) {
			hit += f.right.target(i, j) * float64(sim[j])
		}
	}
	if f.right.smoothing == 0 {
		return hit
	}
	for k, j := range texts {
		hit -= f.right.smoothing / 2 * (f.right.asks(i) + f.right.weight(int(j))) * sims[k]
	}
	return hit + f.smooth(f.mine[0], i-f.mine[0].row, sim, nil)
}

// smooth returns Σ target·similarity of what is spread over all answers, and takes these
// targets, in units of 1/2B, from grad: of an image of a part with the part's texts.
func (f *choices) smooth(c *contrast, r int, sim, grad []float32) (sum float64) {
	b, n, eps, i := float64(f.b), float64(f.n), f.right.smoothing, c.row+r
	target := func(j int) float64 { return eps / 2 * (f.right.asks(i)/n + f.right.weight(c.column+j)/b) }
	texts, sims := c.apart.of(r)
	for j := range c.n {
		target := target(j)
		if sim != nil && sim[j] != aside {
			sum += target * float64(sim[j])
		}
		if grad != nil {
			grad[j] -= float32(2 * b * target)
		}
	}
	for k, j := range texts {
		sum += target(int(j)) * sims[k]
	}
	return sum
}

// backward sets the gradients: of a logit (p + q)/2B − target, where p is the probability of
// the text for the image, and q that of the image for the text.
func (f *choices) backward(scale float64) {
	b := float64(f.b)
	f.refer()
	rows := make([]float64, f.b)
	for i := range rows {
		rows[i] = f.sums.image[i]
		texts, sims := f.apart.of(i)
		for k, j := range texts {
			z := float64(f.scale) * sims[k]
			rows[i] = z + softplus(rows[i]-z)
			f.his[j], f.los[j] = f.reference(z+softplus(f.sums.text[j]-z), b*f.right.weight(int(j)))
		}
	}
	if f.share != nil {
		f.sharedPull(scale, 1/(2*b), func(part *contrast) weigher { return f.weigh(part, rows) })
		return
	}
	f.pull(scale, 1/(2*b), func(int) weigher { return f.weigh(f.contrast, rows) })
}

// weigh is for the images and texts of a part; rows are the sums of all images.
func (f *choices) weigh(c *contrast, rows []float64) weigher {
	b, his, los := float64(f.b), f.his[c.column:][:c.n], f.los[c.column:][:c.n]
	return func(r int, sim []float32) (dScale, _ float64) {
		i := c.row + r
		own, sims := c.apart.of(r)
		var group []int32
		if all, _ := f.apart.of(i); len(all) == 0 {
			group = c.within(f.right.texts(i))
		}
		for _, j := range group {
			dScale -= 2 * b * f.right.target(i, int32(c.column)+j) * float64(sim[j])
		}
		if f.right.smoothing > 0 {
			dScale -= 2 * b * f.smooth(c, r, sim, nil)
		}
		hi, lo := f.reference(rows[i], b*f.right.asks(i))
		dScale += kernel.Chosen(sim, sim, his, los, f.scale, hi, lo)
		for k, j := range own {
			text := c.column + int(j)
			z, ask, weight := float64(f.scale)*sims[k], b*f.right.asks(i), b*f.right.weight(text)
			missed := ask*sigmoid(f.sums.image[i]-z) + weight*sigmoid(f.sums.text[text]-z) - f.right.smoothing*(ask+weight)
			sim[j] = -float32(missed)
			dScale -= missed * sims[k]
		}
		for _, j := range group {
			sim[j] -= float32(2 * b * f.right.target(i, int32(c.column)+j))
		}
		if f.right.smoothing > 0 {
			f.smooth(c, r, nil, sim)
		}
		return dScale, 0
	}
}

// refer sets the references of the texts.
func (f *choices) refer() {
	if f.his == nil {
		f.his, f.los = make([]float32, f.n), make([]float32, f.n)
	}
	for j, sum := range f.sums.text {
		f.his[j], f.los[j] = f.reference(sum, float64(f.b)*f.right.weight(j))
	}
}

// reference is what a logit is reduced by to be the logarithm of a probability times weight.
func (f *choices) reference(sum, weight float64) (hi, lo float32) {
	if weight == 0 {
		return math.MaxFloat32, 0
	}
	return split(sum - math.Log(weight))
}
