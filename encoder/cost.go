package encoder

import (
	"fmt"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/nn"
)

// Cost is what a model's configuration tells of its size and of the work that it is. No
// weights are needed for it.
type Cost struct {
	Image, Text TowerCost // zero for a tower that the model has not
	// Parameters are those of both towers and of what belongs to neither: logit_scale,
	// logit_bias, and the captioner of a CoCa.
	Parameters int64
	// Weights are all numbers that are stored: Parameters and the statistics of batch
	// norms. A number takes 4 bytes in memory, and in a file 4, or 2 in half precision.
	Weights int64
}

// TowerCost is that of one tower.
type TowerCost struct {
	Parameters int64
	// MultiplyAdds are the multiplications, each with its addition, of one image, or of one
	// caption that fills the context: two floating-point operations each. They are 0 for a
	// family that is no [nn.Coster].
	MultiplyAdds float64
}

// Cost counts. A configuration that is not valid is an error.
func (c Config) Cost() (Cost, error) {
	m, err := blank(c, nil, nil)
	if err != nil {
		return Cost{}, err
	}
	var cost Cost
	err = guarded("encoder: cost", func() error {
		if c.Vision != nil {
			cost.Image = towerCost(c.Vision, m.params.image)
		}
		if c.Text != nil {
			cost.Text = towerCost(c.Text, m.params.text)
		}
		return nil
	})
	cost.Parameters = cost.Image.Parameters + cost.Text.Parameters + 1
	if m.logitBias != nil {
		cost.Parameters++
	}
	for _, p := range m.captioner {
		cost.Parameters += int64(p.Size())
	}
	for _, p := range m.Params() {
		cost.Weights += int64(p.Size())
	}
	return cost, err
}

func towerCost(cfg any, params []*nn.Param) (cost TowerCost) {
	for _, p := range params {
		if !p.Buffer {
			cost.Parameters += int64(p.Size())
		}
	}
	if c, ok := cfg.(nn.Coster); ok {
		cost.MultiplyAdds = c.MultiplyAdds()
	}
	return cost
}

// PassBytes is the memory that a forward pass of n images, and one of n captions that fill
// the context, take beside the weights: inputs and intermediate values, of which those that
// nobody reads any more give their place to others. It is 0 for a tower that the model has not. A
// model keeps a few passes for the shapes that come again.
func (c Config) PassBytes(n int) (images, captions int64, err error) {
	if n < 1 {
		return 0, 0, fmt.Errorf("encoder: a pass of %d, want 1 or more", n)
	}
	m, err := blank(c, nil, nil)
	if err != nil {
		return 0, 0, err
	}
	if c.Vision != nil {
		if images, err = passBytes(m.imageSession(imageShape{batch: n})); err != nil {
			return 0, 0, fmt.Errorf("encoder: image tower: %w", err)
		}
	}
	if c.Text != nil {
		if captions, err = passBytes(m.textSession(textShape{batch: n, tokens: c.Text.Dims().ContextLength})); err != nil {
			return 0, 0, fmt.Errorf("encoder: text tower: %w", err)
		}
	}
	return images, captions, nil
}

func passBytes(s *session, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	bytes, err := s.machine.Workspace()
	return bytes + 4*int64(len(s.pixels)+len(s.grids)+len(s.tokens)+len(s.pooled)+len(s.mask)+len(s.types)), err
}

// Layout names the layout that the model was loaded from, such as [HuggingFace]; it is
// empty for a model from elsewhere.
func (m *Model) Layout() string {
	if m == nil {
		return ""
	}
	return m.spec.Layout
}

// TokenizerByName says whose tokenizer the captions of a published configuration go
// through: a repository of the hub, "tiktoken" with the name of its ranks, or "CLIP". It is
// empty for a name that [ConfigByName] does not know.
func TokenizerByName(name string) string {
	spec, ok := checkpoint.ConfigByName(name)
	switch {
	case !ok:
		return ""
	case spec.HFTokenizer != "":
		return spec.HFTokenizer
	case spec.Tiktoken != "":
		return "tiktoken " + spec.Tiktoken
	}
	return "CLIP"
}
