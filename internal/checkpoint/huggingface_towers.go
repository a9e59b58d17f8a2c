package checkpoint

import (
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// The classes of transformers that are one tower of CLIPModel or SiglipModel, or that
// hold one beside what goclip does not compute. A tower's config.json is what the whole
// model has as vision_config or text_config, and its own projection_dim counts. Names
// may lack the prefix vision_model. or text_model., which unwrap.go gives back.

// hfTextTowers are CLIPTextModelWithProjection, CLIPTextModel and SiglipTextModel.
func hfTextTowers() []hfClass {
	tower := func(modelType, names string, match func(f *files) bool, read func(o *object) text.Config) hfClass {
		return hfClass{modelType: modelType, names: names, match: match, read: func(root *object) Spec {
			return withoutScale(Spec{Text: read(root)})
		}}
	}
	return []hfClass{
		tower("clip_text_model", "clip_transformers", func(f *files) bool { return f.has("text_projection.") }, func(o *object) text.Config {
			return hfText(o, value(o, "projection_dim", 512))
		}),
		tower("clip_text_model", "clip_transformers", nil, func(o *object) text.Config {
			c := hfText(o, 0).(text.Transformer)
			c.EmbedDim, c.Proj = c.Width, text.ProjNone
			return c
		}),
		tower("siglip_text_model", "siglip_transformers", nil, hfSigLIPText),
	}
}

// hfImageTowers are CLIPVisionModelWithProjection, CLIPVisionModel and SiglipVisionModel.
func hfImageTowers() []hfClass {
	tower := func(modelType, names string, match func(f *files) bool, read func(o *object) vision.Config) hfClass {
		return hfClass{modelType: modelType, names: names, match: match, read: func(root *object) Spec {
			return withoutScale(Spec{Vision: read(root)})
		}}
	}
	return []hfClass{
		tower("clip_vision_model", "clip_transformers", func(f *files) bool { return f.has("visual_projection.") }, func(o *object) vision.Config {
			return hfVision(o, value(o, "projection_dim", 512))
		}),
		tower("clip_vision_model", "clip_transformers", nil, func(o *object) vision.Config {
			c := hfVision(o, 0).(vision.ViT)
			c.EmbedDim, c.Proj = c.Width, vision.ProjNone
			return c
		}),
		tower("siglip_vision_model", "siglip_transformers", nil, hfSigLIPVision),
	}
}

// hfClassifier is CLIPForImageClassification. Its features are the logits of its labels:
// the classifier reads the mean of the patch tokens, before post_layernorm.
func hfClassifier() hfClass {
	return hfClass{
		modelType: "clip", names: "clip_transformers",
		match:  func(f *files) bool { return f.has("classifier.") && !f.has("text_model.") },
		unused: []string{"vision_model.post_layernorm."},
		read: func(root *object) Spec {
			labels := len(root.object("id2label").fields)
			if labels == 0 {
				labels = value(root, "num_labels", 2)
			}
			c := hfVision(root.either("vision_config_dict", "vision_config"), labels).(vision.ViT)
			c.Pool, c.NoLnPost, c.Proj = vision.PoolMean, true, vision.ProjLinear
			return withoutScale(Spec{Vision: c})
		},
	}
}

// hfCLIPSeg is CLIPSegModel, and the CLIP in CLIPSegForImageSegmentation. It computes
// what CLIPModel does, but at the size of the images that it is given.
func hfCLIPSeg() hfClass {
	c := hfCLIP()
	read := c.read
	return hfClass{
		modelType: "clipseg", names: c.names,
		read: func(root *object) Spec {
			s := read(root)
			s.Adapts = true
			return s
		},
	}
}
