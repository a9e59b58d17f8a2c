package checkpoint

import (
	"cmp"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// timmNaFlexes are the models that open_clip names (timm 1.0.31, naflexvit.py).
func timmNaFlexes() []timmModel[vision.NaFlex] {
	base := vision.NaFlex{
		ImageSize: square(224), PatchSize: 16, PositionGrid: square(16), Width: 768, Layers: 12, Heads: 12, MLPRatio: 4, PoolRatio: 4,
		Activation: nn.GELU, NormEps: 1e-6,
	}
	gap, pooled, siglip := base, base, base
	gap.Pool, gap.Registers, gap.LayerScale = vision.PoolMean, 4, 1e-5
	pooled.Pool, pooled.Registers, pooled.LayerScale = vision.PoolMap, 1, 1e-5
	so150 := pooled
	so150.Width, so150.Layers, so150.Heads, so150.MLPRatio, so150.PoolRatio, so150.NoQKVBias = 832, 21, 13, 34.0/13, 34.0/13, true
	siglip.Pool, siglip.Activation, siglip.Interpolation, siglip.NoProjection = vision.PoolMap, nn.GELUTanh, vision.Bilinear, true
	so400 := siglip
	so400.Width, so400.Layers, so400.Heads, so400.MLPRatio, so400.PoolRatio = 1152, 27, 16, 3.7362, 3.7362
	return []timmModel[vision.NaFlex]{
		{"naflexvit_base_patch16_gap", gap},
		{"naflexvit_base_patch16_map", pooled},
		{"naflexvit_so150m2_patch16_reg1_map", so150},
		{"naflexvit_base_patch16_siglip", siglip},
		{"naflexvit_so400m_patch16_siglip", so400},
	}
}

// timmNaFlex reads and writes them in open_clip's configurations. Their size is
// preprocessing's alone, since any will do.
func timmNaFlex() openCLIPTower {
	return openCLIPTower{
		read: func(o *object, dim int, _ bool) (vision.Config, bool) {
			name := o.peek("timm_model_name")
			c, ok := model(o, timmNaFlexes())
			if !ok {
				return nil, false
			}
			c.EmbedDim, c.ImageSize = dim, o.pair("image_size", square(224))
			pool := map[vision.Pool]string{vision.PoolMap: "map", vision.PoolMean: "avg"}[c.Pool]
			if c.NoProjection {
				timmPool(o, pool)
				o.only("timm_proj", `"none"`)
			} else {
				timmPool(o, pool, "")
				timmProj(o, name, "linear")
			}
			timmUnread(o)
			naFlexSettings(o.object("timm_model_kwargs"), &c)
			if c.NoProjection && c.Width != dim {
				o.fail("timm_model_name is a tower of width %d without projection, but embed_dim is %d", c.Width, dim)
			}
			return c, true
		},
		write: func(config vision.Config, _ bool) (map[string]any, bool, error) {
			c, ok := config.(vision.NaFlex)
			if !ok {
				return nil, false, nil
			}
			name, kw := closest(timmNaFlexes(), func(m vision.NaFlex) (map[string]any, bool) { return naFlexKwargs(c, m) })
			if name == "" {
				return nil, true, unwritable(OpenCLIP, "an image tower of family %s that no model of timm is: %+v", c.Family(), c)
			}
			m := map[string]any{
				"image_size": side(c.ImageSize), "timm_model_name": name, "timm_model_pretrained": false,
				"timm_pool": map[vision.Pool]string{vision.PoolMap: "map", vision.PoolMean: "avg"}[c.Pool], "timm_proj": "linear",
			}
			set(m, "timm_proj", "none", c.NoProjection)
			set(m, "timm_model_kwargs", kw, len(kw) > 0)
			return m, true, nil
		},
	}
}

// naFlexSettings reads what timm_model_kwargs changes.
func naFlexSettings(kw *object, c *vision.NaFlex) {
	c.PatchSize, c.PositionGrid = value(kw, "patch_size", c.PatchSize), kw.pair("pos_embed_grid_size", c.PositionGrid)
	c.Width, c.Layers, c.Heads = value(kw, "embed_dim", c.Width), value(kw, "depth", c.Layers), value(kw, "num_heads", c.Heads)
	c.SwiGLU, c.Registers = value(kw, "swiglu_mlp", c.SwiGLU), value(kw, "reg_tokens", c.Registers)
	if kw.has("init_values") {
		c.LayerScale = value(kw, "init_values", 0.0)
	}
	c.MLPRatio = mlpRatio(kw, "mlp_ratio", c.Width, c.MLPRatio)
	// The pool's MLP is as wide as the blocks', unless it is said.
	c.PoolRatio = mlpRatio(kw, "attn_pool_mlp_ratio", c.Width, c.MLPRatio)
	kw.none()
}

// naFlexKwargs are the settings that differ from a model's, if they make it c.
func naFlexKwargs(c, m vision.NaFlex) (map[string]any, bool) {
	ratio, pool := cmp.Or(c.MLPRatio, 4), cmp.Or(c.PoolRatio, 4)
	kw := map[string]any{}
	set(kw, "patch_size", c.PatchSize, c.PatchSize != m.PatchSize)
	set(kw, "pos_embed_grid_size", c.PositionGrid, c.PositionGrid != m.PositionGrid)
	set(kw, "embed_dim", c.Width, c.Width != m.Width)
	set(kw, "depth", c.Layers, c.Layers != m.Layers)
	set(kw, "num_heads", c.Heads, c.Heads != m.Heads)
	set(kw, "swiglu_mlp", c.SwiGLU, c.SwiGLU != m.SwiGLU)
	set(kw, "reg_tokens", c.Registers, c.Registers != m.Registers)
	set(kw, "init_values", c.LayerScale, c.LayerScale != m.LayerScale)
	set(kw, "mlp_ratio", openCLIPRatio(c.Width, ratio), ratio != m.MLPRatio)
	set(kw, "attn_pool_mlp_ratio", openCLIPRatio(c.Width, pool), pool != ratio && c.Pool == vision.PoolMap)
	m.ImageSize, m.EmbedDim, m.PatchSize, m.PositionGrid = c.ImageSize, c.EmbedDim, c.PatchSize, c.PositionGrid
	m.Width, m.Layers, m.Heads, m.SwiGLU, m.MLPRatio, m.PoolRatio = c.Width, c.Layers, c.Heads, c.SwiGLU, c.MLPRatio, c.PoolRatio
	m.Registers, m.LayerScale = c.Registers, c.LayerScale
	return kw, m == c
}

// publishedNaFlex are open_clip's configurations of them with CLIP's and SigLIP's text
// towers. Only SigLIP 2's have weights.
func publishedNaFlex() map[string]func() Spec {
	gap := func(patch, grid int, customText bool) func() Spec {
		return func() Spec {
			c := named(timmNaFlexes(), "naflexvit_base_patch16_gap")
			c.EmbedDim, c.PatchSize, c.PositionGrid = 512, patch, square(grid)
			s := withTimm(c, clipText(512, 12), vision.CLIPPreprocess(224))
			s.CustomText = customText
			return s
		}
	}
	siglip := func(timm, fixed string) func() Spec {
		return func() Spec {
			s := publishedSigLIP()[fixed]()
			c := named(timmNaFlexes(), timm)
			c.EmbedDim, c.ImageSize = c.Width, square(384)
			preprocess := sigPreprocess(384)
			s.Vision, s.Preprocess = c, &preprocess
			return s
		}
	}
	return map[string]func() Spec{
		"naflex_ViT-B-16":              gap(16, 16, true),
		"naflex_ViT-B-32":              gap(32, 7, false),
		"ViT-B-16-SigLIP2-naflex":      siglip("naflexvit_base_patch16_siglip", "ViT-B-16-SigLIP2-256"),
		"ViT-SO400M-16-SigLIP2-naflex": siglip("naflexvit_so400m_patch16_siglip", "ViT-SO400M-16-SigLIP2-256"),
	}
}
