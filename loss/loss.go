// Package loss holds the contrastive objectives that align the two towers'
// embeddings. Each is a differentiable node over a batch of image and text
// embeddings, independent of the towers.
package loss

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Loss is a contrastive objective over B pairs. A custom one is [ByRows], or is built from
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
	// Image, (B, D), and Text, (N, D), are embeddings, normalised. N is B, and row i of one
	// belongs to row i of the other, unless the targets' Images say otherwise.
	Image, Text *G.Node
	// Scale and Bias, (1), make logits of their similarities: Scale·Image·Textᵀ + Bias.
	// Bias is nil in a model without one.
	Scale, Bias *G.Node
	Targets     // which combinations are right
	// Share, where not nil, says which of the work of [InfoNCE] and [Sigmoid] is this process's.
	// Other losses do all of it.
	Share *Share
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

// sizes checks the inputs of a loss and returns B, N and D.
func (in Input) sizes(name string) (b, n, d int) {
	nn.WantShape(name, "image embeddings", in.Image, -1, -1)
	b, d = in.Image.Shape()[0], in.Image.Shape()[1]
	nn.WantShape(name, "text embeddings", in.Text, -1, d)
	if n = in.Text.Shape()[0]; in.Images == nil {
		nn.WantShape(name, "text embeddings", in.Text, b, d)
	}
	nn.WantShape(name, "scale", in.Scale, 1)
	in.check(name, b, n)
	in.Share.check(name, b, n)
	return b, n, d
}
