package loss

import (
	"math"
	"slices"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/nn"
)

// A panel is the images whose similarities with all texts are in memory at once, never those
// of all B: as many tiles of images as panelSize numbers allow, but one at least. No sum
// reaches over the end of a tile, so any number of them gives the same bits.
const (
	tile      = 256 // the length of a sum in a product, too
	panelSize = 4 << 20
)

// contrast is what the losses share: for images I and texts T, both (B, D), the
// similarities S = I·Tᵀ, panel by panel, and from G = ∂loss/∂logits, for logits scale·S + bias,
// the gradients of all that the logits are made of.
type contrast struct {
	b, d, panel int
	sim         []float32 // S of images from held on, (panel, B)
	held        int       // -1: none
	grad        []float32 // G of the same images

	pulled        bool // the gradients are those of the last forward pass
	dImage, dText []float32
	dScale, dBias float64
}

func newContrast(b, d int) *contrast {
	return &contrast{b: b, d: d, panel: min(b, max(1, panelSize/b/tile)*tile), held: -1}
}

// renew forgets what belongs to the inputs of the last pass.
func (c *contrast) renew() { c.held, c.pulled = -1, false }

// similarities returns those of up to a panel of images from first on, (rows, B). The pairs'
// own are rounded once: where the model is sure of them, all other gradients of a row are in
// proportion to their exponential.
func (c *contrast) similarities(image, text []float32, first int) (rows int, sim []float32) {
	if c.sim == nil {
		c.sim = make([]float32, c.panel*c.b)
	}
	rows = min(c.panel, c.b-first)
	if c.held != first {
		kernel.Gemm(kernel.NT, rows, c.b, c.d, 1, image[first*c.d:], c.d, text, c.d, 0, c.sim, c.b)
		for r := range rows {
			i := first + r
			c.sim[r*c.b+i] = kernel.Dot(image[i*c.d:][:c.d], text[i*c.d:][:c.d])
		}
		c.held = first
	}
	return rows, c.sim[:rows*c.b]
}

// A weigher makes of the similarities of image i with all texts the gradient of the loss by
// its logits. It is called from several goroutines.
type weigher func(i int, grad, sim []float32)

// pull sets the gradients. It calls weighing before each panel of images, with the first.
func (c *contrast) pull(image, text []float32, scale float32, weighing func(first int) weigher) {
	if c.grad == nil {
		c.grad = make([]float32, c.panel*c.b)
		c.dImage, c.dText = make([]float32, c.b*c.d), make([]float32, c.b*c.d)
	}
	b, d := c.b, c.d
	scales, biases := make([]float64, b), make([]float64, b)
	for first := 0; first < b; first += c.panel {
		rows, sim := c.similarities(image, text, first)
		weigh := weighing(first)
		parallel.For(rows, func(r int) {
			grad, sim := c.grad[r*b:][:b], sim[r*b:][:b]
			weigh(first+r, grad, sim)
			scales[first+r], biases[first+r] = float64(kernel.Dot(grad, sim)), sum(grad)
		})
		kernel.Gemm(kernel.NN, rows, d, b, scale, c.grad, b, text, d, 0, c.dImage[first*d:], d)
		kernel.Gemm(kernel.TN, b, d, rows, scale, c.grad, b, image[first*d:], d, float32(min(first, 1)), c.dText, d)
	}
	c.dScale, c.dBias = total(scales), total(biases)
	c.pulled = true
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

// columnStrip is the number of columns that one task looks at.
const columnStrip = 128

// sums is ln Σ exp of the logits of each image and of each text, without a bias.
type sums struct {
	image, text []float64
	// Of the texts so far: the largest logit, and Σ exp(logit − largest).
	top, sum []float64
}

func newSums(b int) *sums {
	s := &sums{image: make([]float64, b), text: make([]float64, b), top: make([]float64, b), sum: make([]float64, b)}
	for i := range s.top {
		s.top[i] = math.Inf(-1)
	}
	return s
}

// add takes a panel of similarities into account.
func (s *sums) add(first, rows int, sim []float32, scale float32) {
	b := len(s.text)
	parallel.For(rows, func(r int) { s.image[first+r] = logSumExp(sim[r*b:][:b], float64(scale)) })
	strips := (b + columnStrip - 1) / columnStrip
	parallel.For(strips, func(strip int) {
		from, to := strip*columnStrip, min(b, (strip+1)*columnStrip)
		s.columns(from, to, sim, float64(scale))
	})
	if first+rows == b {
		for j := range s.text {
			s.text[j] = s.top[j] + math.Log(s.sum[j])
		}
	}
}

// columns is add for the texts [from, to).
func (s *sums) columns(from, to int, sim []float32, scale float64) {
	b, n := len(s.text), to-from
	top, sum := s.top[from:to], s.sum[from:to]
	var old [columnStrip]float64
	var e [columnStrip]float32
	for part := range slices.Chunk(sim, tile*b) {
		copy(old[:], top)
		for row := range slices.Chunk(part, b) {
			for j, v := range row[from:to] {
				if z := scale * float64(v); z > top[j] {
					top[j] = z
				}
			}
		}
		for j := range sum {
			if sum[j] != 0 {
				sum[j] *= math.Exp(old[j] - top[j])
			}
		}
		for row := range slices.Chunk(part, b) {
			expsOf(e[:n], row[from:], scale, top)
			for j, v := range e[:n] {
				sum[j] += float64(v)
			}
		}
	}
}

// piece is how much of a row is worked on at a time.
const piece = 256

// logSumExp is ln Σ exp(scale·x).
func logSumExp(x []float32, scale float64) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		if z := scale * float64(v); z > top {
			top = z
		}
	}
	var total float64
	var e [piece]float32
	for ; len(x) > 0; x = x[min(piece, len(x)):] {
		n := exps(e[:], x, scale, top)
		total += sum(e[:n])
	}
	return top + math.Log(total)
}

// exps sets e to exp(scale·x − top) for as much of x as e holds, and returns how much.
func exps(e, x []float32, scale, top float64) int {
	n := min(len(e), len(x))
	for j, v := range x[:n] {
		e[j] = float32(scale*float64(v) - top)
	}
	kernel.Exp(e[:n], e[:n])
	return n
}

// expsOf sets e to exp(scale·x − top), element by element.
func expsOf(e, x []float32, scale float64, top []float64) {
	for j := range e {
		e[j] = float32(scale*float64(x[j]) - top[j])
	}
	kernel.Exp(e, e)
}

func total(x []float64) (sum float64) {
	for _, v := range x {
		sum += v
	}
	return sum
}

// sum adds up in float64, in four chains.
func sum(x []float32) float64 {
	var s [4]float64
	for ; len(x) >= 4; x = x[4:] {
		s[0] += float64(x[0])
		s[1] += float64(x[1])
		s[2] += float64(x[2])
		s[3] += float64(x[3])
	}
	for _, v := range x {
		s[0] += float64(v)
	}
	return s[0] + s[1] + (s[2] + s[3])
}
