package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// openAI is the layout of OpenAI's .pt files, TorchScript archives and state dicts,
// which need no configuration: theirs follows from the shapes.
func openAI() layout {
	return layout{
		name:    OpenAI,
		weights: []string{"model.pt", "state_dict.pt"},
		match: func(f *files) bool {
			// A state dict after fine-tuning has none of the numbers that repeat shapes.
			return f.has("visual.") && (f.has("input_resolution") || !f.exists(openCLIPConfigFile) && !openCLIPNamed(filepath.Base(f.path)))
		},
		read: func(f *files) (Spec, naming, error) {
			s, err := openAISpec(f.weights)
			return s, prefixed{}, err
		},
		positions: resizeGrid,
	}
}

// openCLIPNamed reports whether a file has a name that open_clip gives: such a one is of
// a configuration that is not there.
func openCLIPNamed(name string) bool {
	number, epoch := strings.CutPrefix(strings.TrimSuffix(name, ".pt"), "epoch_")
	return slices.Contains(openCLIP().weights, name) || epoch && digits(number)
}

// openAISpec derives a model from the shapes of its tensors, as openai/CLIP's
// build_model does; the same rules give the number of heads. All of OpenAI's
// models have QuickGELU, and features from the highest id.
func openAISpec(w weights) (Spec, error) {
	s := shapes{w: w}
	spec := Spec{
		InitLogitScale: clipLogitScale,
		Text: text.Transformer{
			ContextLength: s.dim("positional_embedding", 0),
			VocabSize:     s.dim("token_embedding.weight", 0),
			Width:         s.dim("ln_final.weight", 0),
			Layers:        s.count("transformer.resblocks."),
			Heads:         s.dim("ln_final.weight", 0) / 64,
			EmbedDim:      s.dim("text_projection", 1),
			Activation:    nn.QuickGELU,
			NormEps:       1e-5,
			Mask:          text.MaskCausal,
			Pool:          text.PoolArgmax,
		},
	}
	if _, ok := w.Info("visual.proj"); ok {
		spec.Vision = s.vit()
	} else {
		spec.Vision = s.resnet()
	}
	if err := errors.Join(s.errs...); err != nil {
		return Spec{}, fmt.Errorf("an OpenAI checkpoint whose shapes do not say what it is: %w", err)
	}
	spec.Preprocess = vision.CLIPPreprocess(spec.Vision.Dims().ImageSize[0])
	return spec, nil
}

func (s *shapes) vit() vision.Config {
	c := vision.ViT{
		PatchSize:  s.dim("visual.conv1.weight", 3),
		Width:      s.dim("visual.conv1.weight", 0),
		Layers:     s.count("visual.transformer.resblocks."),
		EmbedDim:   s.dim("visual.proj", 1),
		Activation: nn.QuickGELU,
		NormEps:    1e-5,
		Pool:       vision.PoolClass,
	}
	c.Heads = c.Width / 64
	side := c.PatchSize * s.grid("visual.positional_embedding")
	c.ImageSize = [2]int{side, side}
	return c
}

func (s *shapes) resnet() vision.Config {
	c := vision.ResNet{
		Width:    s.dim("visual.layer1.0.conv1.weight", 0),
		EmbedDim: s.dim("visual.attnpool.c_proj.weight", 0),
	}
	c.Heads = c.Width * 32 / 64
	for i := range 4 {
		c.Stages[i] = s.count(fmt.Sprintf("visual.layer%d.", i+1))
	}
	side := 32 * s.grid("visual.attnpool.positional_embedding")
	c.ImageSize = [2]int{side, side}
	return c
}

// shapes asks for dimensions and remembers what it did not find.
type shapes struct {
	w    weights
	errs []error
}

// maxDim bounds dimensions, so that products of a few of them do not overflow.
const maxDim = 1 << 24

func (s *shapes) dim(name string, axis int) int {
	info, ok := s.w.Info(name)
	switch {
	case !ok:
		s.errs = append(s.errs, fmt.Errorf("%s is missing", name))
	case axis >= len(info.Shape) || info.Shape[axis] > maxDim:
		s.errs = append(s.errs, fmt.Errorf("%s has shape %v", name, info.Shape))
	default:
		return info.Shape[axis]
	}
	return 0
}

// count returns one more than the highest number that follows prefix.
func (s *shapes) count(prefix string) int {
	n := 0
	for _, name := range s.w.Names() {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			number, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(number); err == nil && i < maxDim {
				n = max(n, i+1)
			}
		}
	}
	return n
}

// grid returns the side of the square of positions after the first one.
func (s *shapes) grid(name string) int {
	n := s.dim(name, 0) - 1
	side := int(math.Round(math.Sqrt(float64(max(n, 0)))))
	if side*side != n {
		s.errs = append(s.errs, fmt.Errorf("%s has %d rows, which is not one more than a square", name, n+1))
	}
	return side
}
