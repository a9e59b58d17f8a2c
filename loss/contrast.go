package loss

import (
	"math"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/nn"
)

// A panel is the images whose similarities with all texts are in memory at once, never those
// of all B where these are many: as many tiles of images as panelSize numbers allow, but one at
// least. No sum reaches over the end of a tile, so any number of them gives the same bits.
const (
	tile      = 256 // the length of a sum in a product, too
	panelSize = 1 << 20
)

const (
	// shortSums is how many products are added to each other at most where logits are steep: a
	// sum of 256 of similar embeddings is off by 1e-7, of 64 by 4e-8, and a logit by scale times that.
	shortSums = 64
	steepest  = 20 // the scale from which on they are

	// aside, in place of a similarity, is far below any other: its exponential is 0.
	aside = -math.MaxFloat32
	// flattest is used in place of a scale of 0, at which aside would be a logit of 0.
	flattest = 1e-30
)

// contrast is what the losses share: for images I, (B, D), and texts T, (N, D), the
// similarities S = I·Tᵀ, panel by panel, and from G = ∂loss/∂logits, for logits scale·S + bias,
// the gradients of all that the logits are made of.
//
// Where the scale is negative, it is taken without its sign, and so are the similarities.
type contrast struct {
	b, n, d, panel int
	image, text    []float32
	scale, sign    float32
	apart          places         // whose similarities are set aside, and are known in float64
	sim            []float32      // S of images from held on, (panel, N)
	held           int            // -1: none
	packed         *kernel.Packed // T, where more than one panel is multiplied by it

	share       *Share       // nil: all is computed here
	mine        [2]*contrast // what is: images with all texts, and texts with all images
	row, column int          // of a part, its first image and text in the whole

	pulled        bool // the gradients are those of the last forward pass
	dImage, dText []float32
	dScale, dBias float64
}

func newContrast(b, n, d int) *contrast {
	c := &contrast{b: b, n: n, d: d, panel: max(1, min(b, max(1, panelSize/max(1, n)/tile)*tile)), held: -1}
	c.divide(nil)
	return c
}

// begin takes the inputs of a pass.
func (c *contrast) begin(image, text []float32, scale float32, apart places) {
	c.unpack()
	c.image, c.text, c.held, c.pulled = image, text, -1, false
	if c.sign, c.scale = 1, max(scale, flattest); scale < 0 {
		c.sign, c.scale = -1, max(-scale, flattest)
	}
	c.apart = apart
	parallel.For(c.b, func(i int) {
		texts, sims := apart.of(i)
		for k, j := range texts {
			sims[k] = float64(c.sign) * kernel.DotWide(c.image[i*c.d:][:c.d], c.text[int(j)*c.d:][:c.d])
		}
	})
	c.follow()
}

// similarities returns those of up to a panel of images from first on, (rows, N).
func (c *contrast) similarities(first int) (rows int, sim []float32) {
	if c.sim == nil {
		c.sim = kernel.Buffer(c.panel * c.n)
	}
	rows = min(c.panel, c.b-first)
	if c.held == first {
		return rows, c.sim[:rows*c.n]
	}
	c.products(rows, first)
	for r := range rows {
		texts, _ := c.apart.of(first + r)
		for _, j := range texts {
			c.sim[r*c.n+int(j)] = aside
		}
	}
	c.held = first
	return rows, c.sim[:rows*c.n]
}

// products computes S of a panel.
func (c *contrast) products(rows, first int) {
	images := c.image[first*c.d:]
	if c.scale <= steepest && c.panel < c.b {
		if c.packed == nil {
			c.packed = kernel.PackLent(kernel.NT, c.n, c.d, c.text, c.d)
		}
		kernel.GemmPacked(rows, c.sign, images, c.d, c.packed, nil, 0, c.sim, c.n)
		return
	}
	length := c.d
	if c.scale > steepest {
		length = shortSums
	}
	for k := 0; k < c.d; k += length {
		kernel.Gemm(kernel.NT, rows, c.n, min(length, c.d-k), c.sign, images[k:], c.d, c.text[k:], c.d, float32(min(k, 1)), c.sim, c.n)
	}
}

// unpack gives the packed T back.
func (c *contrast) unpack() {
	if c.packed != nil {
		c.packed.Release()
		c.packed = nil
	}
}

// A weigher puts in the place of the similarities of image i with all texts G, in units that
// pull is told of, and returns Σ G·S and Σ G. It is called from several goroutines.
type weigher func(i int, sim []float32) (scale, bias float64)

// pull sets the gradients, where scale is that of the logits, with its sign. It calls weighing
// before each panel of images, with the first.
func (c *contrast) pull(scale, unit float64, weighing func(first int) weigher) {
	if c.dImage == nil {
		c.dImage, c.dText = kernel.Buffer(c.b*c.d), kernel.Buffer(c.n*c.d)
	}
	n, d, alpha := c.n, c.d, float32(scale*unit)
	scales, biases := make([]float64, c.b), make([]float64, c.b)
	var text *kernel.Packed
	if c.panel < c.b {
		text = kernel.PackLent(kernel.NN, d, n, c.text, d)
		defer text.Release()
	}
	for first := 0; first < c.b; first += c.panel {
		rows, grad := c.similarities(first)
		c.held = -1 // not for long
		weigh := weighing(first)
		parallel.For(rows, func(r int) { scales[first+r], biases[first+r] = weigh(first+r, grad[r*n:][:n]) })
		c.intoImages(rows, grad, alpha, text, c.dImage[first*d:])
		c.intoTexts(first, rows, grad, alpha, c.dText)
	}
	c.unpack()
	c.dScale, c.dBias = float64(c.sign)*unit*total(scales), unit*total(biases)
	c.pulled = true
}

// intoImages makes of the G of some images their gradients.
func (c *contrast) intoImages(rows int, grad []float32, alpha float32, text *kernel.Packed, to []float32) {
	if text != nil {
		kernel.GemmPacked(rows, alpha, grad, c.n, text, nil, 0, to, c.d)
		return
	}
	kernel.Gemm(kernel.NN, rows, c.d, c.n, alpha, grad, c.n, c.text, c.d, 0, to, c.d)
}

// intoTexts adds what some images, from the first on, give to the gradients of the texts.
func (c *contrast) intoTexts(first, rows int, grad []float32, alpha float32, to []float32) {
	kernel.Gemm(kernel.TN, c.n, c.d, rows, alpha, grad, c.n, c.image[first*c.d:], c.d, float32(min(first, 1)), to, c.d)
}

// pullbacks are those of image, text, scale and bias. Where the forward pass has left no
// gradients, pull sets them.
func (c *contrast) pullbacks(pull func(x nn.Inputs)) []nn.Pullback {
	back := func(gradient func(dx []float32, dy float32)) nn.Pullback {
		return nn.Back(func(dx []float32, x nn.Inputs, _, dy []float32) {
			if !c.pulled {
				pull(x)
			}
			gradient(dx, dy[0])
		})
	}
	times := func(of func() []float32) func(dx []float32, dy float32) {
		return func(dx []float32, dy float32) {
			for i, v := range of() {
				dx[i] = dy * v
			}
		}
	}
	return []nn.Pullback{
		back(times(func() []float32 { return c.dImage })),
		back(times(func() []float32 { return c.dText })),
		back(func(dx []float32, dy float32) { dx[0] = float32(float64(dy) * c.dScale) }),
		back(func(dx []float32, dy float32) { dx[0] = float32(float64(dy) * c.dBias) }),
	}
}

// places are some of the combinations of images and texts, with a number each.
type places struct {
	start []int32 // of each image's among all; nil: there are none
	text  []int32
	value []float64
}

// of returns the places of image i.
func (p places) of(i int) (texts []int32, values []float64) {
	if p.start == nil {
		return nil, nil
	}
	from, to := p.start[i], p.start[i+1]
	return p.text[from:to:to], p.value[from:to:to]
}

func total(x []float64) (sum float64) {
	for _, v := range x {
		sum += v
	}
	return sum
}
