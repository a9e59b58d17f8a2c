package scaling

import (
	"fmt"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TrainingFLOPs counts the floating-point operations of training a model on one
// pair: two for each multiplication with its addition, three passes, since the
// gradients by inputs and by weights cost as much as the forward pass each. Only
// matrix products count, those of attention's scores included, over every token of
// the context; the loss, norms and activations do not. ResNets are refused.
func TrainingFLOPs(cfg encoder.Config) (float64, error) {
	image, caption, err := MultiplyAdds(cfg)
	return 6 * (image + caption), err
}

// MultiplyAdds counts those of one picture's and one caption's forward pass, as
// [TrainingFLOPs] does.
func MultiplyAdds(cfg encoder.Config) (image, caption float64, err error) {
	if err := cfg.Validate(); err != nil {
		return 0, 0, err
	}
	if cfg.Vision.Stages != nil {
		return 0, 0, fmt.Errorf("scaling: the image tower is a ResNet of stages %v, want a ViT", cfg.Vision.Stages)
	}
	return visionMultiplyAdds(cfg.Vision), textMultiplyAdds(cfg.Text), nil
}

func visionMultiplyAdds(c vision.Config) float64 {
	grid, width, dim := c.Grid(), float64(c.Width), float64(c.EmbedDim)
	tokens := float64(c.Tokens())
	patches := float64(grid[0]*grid[1]) * float64(3*c.PatchSize*c.PatchSize) * width
	n := patches + blocks(c.Layers, tokens, width, nn.MLPWidth(c.Width, c.MLPRatio))
	if c.Pool == "map" {
		// Keys and values of each token, and one query, which alone gives a feature.
		n += 2*tokens*width*dim + dim*dim + 2*tokens*dim + dim*dim
		width = dim
	}
	return n + width*dim
}

func textMultiplyAdds(c text.Config) float64 {
	width := float64(c.Width)
	return blocks(c.Layers, float64(c.ContextLength), width, nn.MLPWidth(c.Width, c.MLPRatio)) + width*float64(c.EmbedDim)
}

// blocks are those of a transformer: 4·W² a token for queries, keys, values and
// output, 2·W·hidden for the MLP, and 2·L·W for scores and their weighted sum.
func blocks(layers int, tokens, width float64, hidden int) float64 {
	return float64(layers) * tokens * (4*width*width + 2*width*float64(hidden) + 2*tokens*width)
}

// Params counts a model's parameters without its embeddings: not the tables of
// tokens and positions, whose rows are looked up and added, nor the class token.
func Params(m *encoder.Model) int {
	n := 0
	for _, p := range m.Params() {
		if p.Buffer || strings.HasSuffix(p.Name, "positional_embedding") ||
			strings.HasSuffix(p.Name, "class_embedding") || p.Name == "token_embedding.weight" {
			continue
		}
		size := 1
		for _, d := range p.Shape {
			size *= d
		}
		n += size
	}
	return n
}
