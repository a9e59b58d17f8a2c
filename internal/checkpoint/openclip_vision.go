package checkpoint

import (
	"cmp"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// openCLIPTower is how open_clip says what an image tower of one family computes.
type openCLIPTower struct {
	// customText says that its configurations have custom_text, so that the names of
	// the text tower get the prefix "text.".
	customText bool
	// read reads a vision_cfg, if it is one of the family.
	read func(o *object, dim int, quick bool) (c vision.Config, ok bool)
	// write is its inverse.
	write func(c vision.Config, quick bool) (m map[string]any, ok bool, err error)
}

// openCLIPTowers lists the families; one that takes any vision_cfg comes last.
func openCLIPTowers() []openCLIPTower {
	return []openCLIPTower{
		timmSigLIP(), timmViT().tower(), timmPECore().tower(), timmEVA().tower(), timmEVA02().tower(),
		timmGapViT().tower(), timmRelPosViT().tower(), timmConvStemViT().tower(), timmConvNeXt(), timmFastViT(), timmViTamin(), timmSwin(), timmNaFlex(),
		openCLIPResNet(), openCLIPViT(),
	}
}

func openCLIPVision(o *object, dim int, quick bool) vision.Config {
	defer o.none()
	for _, tower := range openCLIPTowers() {
		if c, ok := tower.read(o, dim, quick); ok {
			return c
		}
	}
	panic("unreachable: the last family reads everything")
}

// timmFields are read by timm's towers, by training alone, or by nothing that
// reaches the features.
func timmFields() []string {
	return []string{
		"patch_dropout", "image_seq_len", "timm_model_pretrained",
		"timm_pool", "timm_proj", "timm_proj_bias", "timm_drop", "timm_drop_path", "timm_model_kwargs",
	}
}

func openCLIPResNet() openCLIPTower {
	return openCLIPTower{
		read: func(o *object, dim int, _ bool) (vision.Config, bool) {
			stages := list[int](o, "layers")
			if stages == nil {
				return nil, false
			}
			openCLIPPlain(o)
			o.only("ls_init_value")
			c := vision.ResNet{ImageSize: o.pair("image_size", [2]int{224, 224}), Width: value(o, "width", 64), EmbedDim: dim}
			headWidth := max(value(o, "head_width", 64), 1)
			c.Heads = c.Width * 32 / headWidth
			if len(stages) == 4 {
				c.Stages = [4]int(stages)
			} else {
				o.fail("%s are %v, want 4 numbers of blocks", o.name("layers"), stages)
			}
			for _, unread := range []string{"patch_size", "mlp_ratio", "pool_type", "attn_pooler_queries", "attn_pooler_heads",
				"attentional_pool", "final_ln_after_pool", "no_ln_pre", "no_class_token", "act_kwargs", "norm_kwargs"} {
				o.take(unread)
			}
			return c, true
		},
		write: func(c vision.Config, _ bool) (map[string]any, bool, error) {
			r, ok := c.(vision.ResNet)
			heads := cmp.Or(r.Heads, max(r.Width/2, 1))
			return map[string]any{
				"image_size": side(r.ImageSize), "width": r.Width, "layers": r.Stages, "head_width": r.Width * 32 / heads,
			}, ok, nil
		},
	}
}

// openCLIPPlain refuses what neither of open_clip's own towers computes here.
func openCLIPPlain(o *object) {
	o.only("timm_model_name")
	o.only("output_tokens", "false", "true") // what the captioner of CoCa reads, beside the feature
	plainBlocks(o)
	o.only("pos_embed_type", `"learnable"`)
	for _, key := range timmFields() {
		o.take(key)
	}
}

func openCLIPViT() openCLIPTower {
	return openCLIPTower{
		read: func(o *object, dim int, quick bool) (vision.Config, bool) {
			openCLIPPlain(o)
			c := vision.ViT{
				ImageSize: o.pair("image_size", [2]int{224, 224}),
				Width:     value(o, "width", 768),
				Layers:    value(o, "layers", 12),
				EmbedDim:  dim,
			}
			c.MLPRatio = mlpRatio(o, "mlp_ratio", c.Width, 4)
			c.Heads = c.Width / max(value(o, "head_width", 64), 1)
			patch := o.pair("patch_size", [2]int{16, 16})
			if c.PatchSize = patch[0]; patch[0] != patch[1] {
				o.fail("%s is %v, want a square", o.name("patch_size"), patch)
			}
			c.Activation, c.NormEps = activation(o, quick), normEps(o)
			openCLIPPool(o, &c)
			c.NormAfterPool = value(o, "final_ln_after_pool", false)
			c.NoLnPre = value(o, "no_ln_pre", false)
			c.NoClassToken = value(o, "no_class_token", false)
			c.LayerScale = value(o, "ls_init_value", 0.0)
			return c, true
		},
		write: func(c vision.Config, quick bool) (map[string]any, bool, error) {
			v, ok := c.(vision.ViT)
			if !ok {
				return nil, false, nil
			}
			if (v.Activation == nn.QuickGELU) != quick {
				return nil, true, unwritable(OpenCLIP, "the image tower's activation %s beside another of the text tower's", v.Activation)
			}
			if v.Proj != vision.ProjMatrix || v.NoLnPost {
				return nil, true, unwritable(OpenCLIP, "an image tower with projection %s or without ln_post", v.Proj)
			}
			m := map[string]any{
				"image_size": side(v.ImageSize), "width": v.Width, "layers": v.Layers, "head_width": v.Width / v.Heads, "patch_size": v.PatchSize,
			}
			common(m, v.Width, v.MLPRatio, v.Activation, v.NormEps)
			if v.Pool == vision.PoolMap {
				m["attentional_pool"], m["attn_pooler_queries"], m["attn_pooler_heads"] = true, v.PoolQueries, v.PoolHeads
			}
			set(m, "pool_type", v.Pool, v.Pool == vision.PoolMean)
			set(m, "final_ln_after_pool", true, v.NormAfterPool)
			set(m, "no_ln_pre", true, v.NoLnPre)
			set(m, "no_class_token", true, v.NoClassToken)
			set(m, "ls_init_value", v.LayerScale, v.LayerScale != 0)
			return m, true, nil
		},
	}
}

// openCLIPPool reads how an image tower pools. Of attentional_pool's forms those
// named by a string, "parallel" and "cascade", return no vector for an image.
func openCLIPPool(o *object, c *vision.ViT) {
	enumValue(o, "pool_type", &c.Pool, vision.PoolClass, vision.PoolClass, vision.PoolMean)
	queries, heads := value(o, "attn_pooler_queries", 256), value(o, "attn_pooler_heads", 8)
	if raw := string(o.fields["attentional_pool"]); raw != "true" {
		o.only("attentional_pool", "false", `""`)
		return
	}
	o.take("attentional_pool")
	if c.Pool == vision.PoolMean {
		o.fail("%s is avg beside attentional_pool, which is not supported", o.name("pool_type"))
	}
	c.Pool, c.PoolQueries, c.PoolHeads = vision.PoolMap, queries, heads
}

// formatVision writes a vision_cfg, and says whether there is custom_text beside it.
func formatVision(c vision.Config, quick bool) (m map[string]any, customText bool, err error) {
	for _, tower := range openCLIPTowers() {
		if m, ok, err := tower.write(c, quick); ok {
			return m, tower.customText, err
		}
	}
	return nil, false, unwritable(OpenCLIP, "an image tower of family %s", c.Family())
}
