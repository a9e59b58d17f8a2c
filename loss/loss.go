// Package loss holds the contrastive objectives that align the two towers'
// embeddings. Each is a differentiable node over a batch of image and text
// embeddings, independent of the towers.
package loss

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/nn"
)

// Loss is a contrastive objective over B pairs. A custom one is built from
// gorgonia's ops or those of package nn.
type Loss interface {
	// Name identifies the objective and its settings: a run resumes from a checkpoint
	// only with a loss of the same name.
	Name() string
	// Forward adds the objective to the graph of its input and returns it, a scalar.
	// It need not read all of the input.
	Forward(Input) (*G.Node, error)
}

// Input is what a loss reads of a batch.
type Input struct {
	Image, Text *G.Node // embeddings, (B, D), normalised; row i of one belongs to row i of the other
	// Scale and Bias, (1), make logits of their similarities: Scale·Image·Textᵀ + Bias.
	// Bias is nil in a model without one.
	Scale, Bias *G.Node
	Targets     // which combinations are right
}

// Chancer is a loss that knows its value at chance level, for a model that tells no
// pair from another. Training compares the measured loss with it.
type Chancer interface {
	// Chance is the loss at chance level of a batch of b pairs with label
	// smoothing: see [Targets].
	Chance(b int, smoothing float64) float64
}

// Scale is exp(logit_scale), the factor that turns cosines into logits (the
// inverse temperature). Both nodes have shape (1).
func Scale(logitScale *G.Node) (scale *G.Node, err error) {
	defer nn.Catch(&err, "loss: scale")
	if logitScale == nil {
		nn.Fail("Scale", "logitScale is nil")
	}
	return nn.Exp(logitScale), nil
}

// pairs checks the inputs of a loss and returns B and D.
func (in Input) pairs(name string) (b, d int) {
	nn.WantShape(name, "image embeddings", in.Image, -1, -1)
	b, d = in.Image.Shape()[0], in.Image.Shape()[1]
	nn.WantShape(name, "text embeddings", in.Text, b, d)
	nn.WantShape(name, "scale", in.Scale, 1)
	in.check(name, b)
	return b, d
}

// contrast is the part that the losses share: similarities S = image·textᵀ, and
// for a gradient G = ∂loss/∂logits those of the embeddings and of the scale.
type contrast struct {
	b, d int
	sim  []float32 // S, (B, B)
	grad []float32 // G, (B, B), left by the forward pass
}

func newContrast(b, d int) *contrast {
	return &contrast{b, d, make([]float32, b*b), make([]float32, b*b)}
}

// logits fills sim and returns scale·sim + bias. At CLIP's largest scale, 100, a
// float32 cosine would be off by 6e-6 as a logit, so both are float64 here.
func (c *contrast) logits(image, text []float32, scale, bias float32) []float64 {
	z := make([]float64, c.b*c.b)
	parallel.For(c.b, func(i int) {
		for j := range c.b {
			var s float64
			for k := range c.d {
				s += float64(image[i*c.d+k]) * float64(text[j*c.d+k])
			}
			c.sim[i*c.b+j] = float32(s)
			z[i*c.b+j] = s*float64(scale) + float64(bias)
		}
	})
	return z
}

// pullbacks are those of image, text and scale.
func (c *contrast) pullbacks() []nn.Pullback {
	embeddings := func(layout kernel.Layout, other int) nn.Pullback {
		return nn.Back(func(dx []float32, x nn.Inputs, _, dy []float32) {
			kernel.Gemm(layout, c.b, c.d, c.b, dy[0]*x.F32(2)[0], c.grad, c.b, x.F32(other), c.d, 0, dx, c.d)
		})
	}
	return []nn.Pullback{
		embeddings(kernel.NN, 1),
		embeddings(kernel.TN, 0),
		nn.Back(func(ds []float32, _ nn.Inputs, _, dy []float32) {
			var sum float64
			for i, g := range c.grad {
				sum += float64(g) * float64(c.sim[i])
			}
			ds[0] = dy[0] * float32(sum)
		}),
	}
}
