package checkpoint

import (
	"math"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// hfSigLIP2 is transformers' Siglip2Model, which is SigLIP 2 for images of any shape; its
// models of one size are SiglipModels. Its defaults are those of Siglip2VisionConfig and
// Siglip2TextConfig.
func hfSigLIP2() hfClass {
	return hfClass{
		modelType: "siglip2", family: "naflex", names: "siglip_transformers", processor: siglip2Processor,
		replace: []string{"visual.trunk.patch_embed.", "visual.trunk.embeds.", "visual.trunk.pos_embed", "visual.trunk.embeds.pos_embed"},
		read: func(root *object) Spec {
			return Spec{
				Vision: hfNaFlex(root.object("vision_config")), Text: hfSigLIPText(root.object("text_config")),
				LogitBias: true, InitLogitScale: sigLogitScale, InitLogitBias: -10,
			}
		},
		write: formatSigLIP2,
	}
}

func hfNaFlex(v *object) vision.Config {
	v.only("num_channels", "3")
	v.only("vision_use_head", "true")
	c := vision.NaFlex{
		PatchSize: value(v, "patch_size", 16), Width: value(v, "hidden_size", 768),
		Layers: value(v, "num_hidden_layers", 12), Heads: value(v, "num_attention_heads", 12),
		Activation: hfActivation(v, nn.GELUTanh), NormEps: value(v, "layer_norm_eps", 1e-6),
		Interpolation: vision.Bilinear, Pool: vision.PoolMap, NoProjection: true,
	}
	n := value(v, "num_patches", 256)
	side := int(math.Sqrt(float64(max(n, 0))))
	if side < 1 || side*side != n {
		v.fail("%s is %d, want a square", v.name("num_patches"), n)
	}
	c.PositionGrid, c.ImageSize = square(side), square(min(side, maxDim)*min(max(c.PatchSize, 1), 1<<10))
	c.EmbedDim = c.Width
	c.MLPRatio = hfRatio(v, c.Width, 3072)
	c.PoolRatio = c.MLPRatio
	return c
}

func formatSigLIP2(s *Spec) ([]byte, error) {
	no := func(what string) ([]byte, error) { return nil, unwritable(HuggingFace, "Siglip2Model of %s", what) }
	v := s.Vision.(vision.NaFlex)
	t := s.Text.(text.Transformer)
	like := hfNaFlex(&object{errs: new([]error)}).(vision.NaFlex)
	like.PatchSize, like.Width, like.Layers, like.Heads, like.EmbedDim = v.PatchSize, v.Width, v.Layers, v.Heads, v.Width
	like.MLPRatio, like.PoolRatio, like.Activation, like.NormEps = v.MLPRatio, v.MLPRatio, v.Activation, v.NormEps
	like.PositionGrid, like.ImageSize = square(v.PositionGrid[0]), v.ImageSize
	switch {
	case v != like:
		return no("an image tower with registers, layer scale, a projection or other things that SigLIP 2 has not")
	case t.Mask != text.MaskNone || t.Pool != text.PoolLast || t.Proj != text.ProjLinear:
		return no("a text tower with mask " + t.Mask.String() + ", pooling " + t.Pool.String() + " and projection " + t.Proj.String())
	case !s.LogitBias:
		return no("a model without logit bias")
	case s.Preprocess != nil && s.Preprocess.MaxPatches == 0:
		return no("images of one size")
	}
	type tower struct {
		hfTower
		Patches int `json:"num_patches"`
	}
	return marshal(struct {
		Architectures []string    `json:"architectures"`
		ModelType     string      `json:"model_type"`
		Dtype         string      `json:"torch_dtype"`
		Text          hfTextTower `json:"text_config"`
		Vision        tower       `json:"vision_config"`
	}{
		[]string{"Siglip2Model"}, "siglip2", "float32",
		hfTextTower{hfTower{
			ModelType: "siglip2_text_model", Hidden: t.Width, Intermediate: nn.MLPWidth(t.Width, t.MLPRatio),
			Layers: t.Layers, Heads: t.Heads, Activation: hfActivationName(t.Activation), NormEps: t.NormEps,
			MaxPositions: t.ContextLength, VocabSize: t.VocabSize,
		}, t.EmbedDim},
		tower{hfTower{
			ModelType: "siglip2_vision_model", Hidden: v.Width, Intermediate: nn.MLPWidth(v.Width, v.MLPRatio),
			Layers: v.Layers, Heads: v.Heads, Activation: hfActivationName(v.Activation), NormEps: v.NormEps,
			PatchSize: v.PatchSize, Channels: 3,
		}, v.PositionGrid[0] * v.PositionGrid[1]},
	})
}
