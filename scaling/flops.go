package scaling

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
)

// TrainingFLOPs counts the floating-point operations of training a model on one
// pair: two for each multiplication with its addition, three passes, since the
// gradients by inputs and by weights cost as much as the forward pass each. Only
// matrix products count, those of attention's scores included, over every token of
// the context; the loss, norms and activations do not. A family whose configuration is
// no [nn.Coster], which a caller's own may be, is refused.
func TrainingFLOPs(cfg encoder.Config) (float64, error) {
	image, caption, err := MultiplyAdds(cfg)
	return 6 * (image + caption), err
}

// MultiplyAdds counts those of one image's and one caption's forward pass, as
// [TrainingFLOPs] does.
func MultiplyAdds(cfg encoder.Config) (image, caption float64, err error) {
	if err := cfg.Validate(); err != nil {
		return 0, 0, err
	}
	if cfg.Vision == nil || cfg.Text == nil {
		return 0, 0, errors.New("scaling: a model of one tower, want two")
	}
	if image, err = multiplyAdds("image", cfg.Vision.Family(), cfg.Vision); err != nil {
		return 0, 0, err
	}
	caption, err = multiplyAdds("text", cfg.Text.Family(), cfg.Text)
	return image, caption, err
}

func multiplyAdds(tower, family string, cfg any) (float64, error) {
	c, ok := cfg.(nn.Coster)
	if !ok {
		return 0, fmt.Errorf("scaling: the %s tower's family, %s, does not count its operations", tower, family)
	}
	return c.MultiplyAdds(), nil
}

// Params counts a model's parameters without its embeddings: not the tables of
// tokens and positions, whose rows are looked up and added, nor the class token. A nil
// model has none.
func Params(m *encoder.Model) int {
	n := 0
	for _, p := range m.Params() {
		if p == nil || p.Buffer || isEmbedding(p.Name) {
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

func isEmbedding(name string) bool {
	return slices.ContainsFunc([]string{"positional_embedding", "class_embedding", "pos_embed", "token_embedding.weight"},
		func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}
