// Package vision is the image side of CLIP: the towers that turn pixels into
// features, and the preprocessing that turns pictures into pixels.
package vision

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Param is a named tensor of weights, shared by all graphs of a tower.
type Param = nn.Param

// Tower is an image encoder, a Vision Transformer or CLIP's ModifiedResNet.
// Building graphs from several goroutines is safe; running a graph while its
// parameters are written to is not.
type Tower struct {
	cfg  Config
	body body
}

// body is what differs between the architectures.
type body interface {
	forward(pixels, keep *G.Node) *G.Node
	params() []*Param
	linears() []*nn.Linear
}

// New returns a tower with random weights drawn from seed.
func New(cfg Config, seed uint64) (*Tower, error) {
	t, err := Blank(cfg)
	if err != nil {
		return nil, err
	}
	for _, p := range t.Params() {
		p.Init(seed)
	}
	return t, nil
}

// Blank returns a tower whose parameters have no memory yet, for a checkpoint to
// fill.
func Blank(cfg Config) (*Tower, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Stages != nil {
		return &Tower{cfg, newResNet(cfg)}, nil
	}
	return &Tower{cfg, newViT(cfg)}, nil
}

// Config returns the tower's configuration.
func (t *Tower) Config() Config { return t.cfg }

// Params lists the tower's parameters under open_clip's names, in a fixed order.
func (t *Tower) Params() []*Param { return t.body.params() }

// Linears lists the tower's linear layers: the blocks' in front, or a ResNet's
// pooling.
func (t *Tower) Linears() []*nn.Linear { return t.body.linears() }

// Forward adds the tower to the graph of pixels, (B, 3, H, W), and returns its
// unnormalised features, (B, D). It is differentiable down to the pixels.
func (t *Tower) Forward(pixels *G.Node) (features *G.Node, err error) {
	return t.ForwardPatches(pixels, nil)
}

// ForwardPatches is [Tower.Forward] of a part of each picture: a Vision
// Transformer sees the patches that keep, (B, K) int32, numbers in row-major
// order, at their positions, and nothing of the others (Li et al., 2023, FLIP).
// Fewer patches are less work. A nil keep is all of them; a number outside the
// patches is an error when the graph runs.
func (t *Tower) ForwardPatches(pixels, keep *G.Node) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	nn.WantShape("image tower", "pixels", pixels, -1, 3, t.cfg.ImageSize[0], t.cfg.ImageSize[1])
	return t.body.forward(pixels, keep), nil
}
