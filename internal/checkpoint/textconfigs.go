package checkpoint

import (
	"fmt"

	"github.com/goclip/goclip/vision"
)

// publishedTexts are open_clip's configurations of other text towers than CLIP's beside
// image towers of other tables, as a model_cfg each.
func publishedTexts() map[string]func() Spec {
	const (
		b32  = `{"image_size": %d, "layers": 12, "width": 768, "patch_size": 32}`
		h14  = `{"image_size": 224, "layers": 32, "width": 1280, "head_width": 80, "patch_size": 14}`
		sig  = `{"image_size": 384, "timm_model_name": "vit_%s_siglip_384", "timm_pool": "map", "timm_proj": "none"}`
		hf   = `{"hf_model_name": %[1]q, "hf_tokenizer_name": %[1]q, "hf_pooler_type": "mean_pooler"}`
		cls  = `{"hf_model_name": %[1]q, "hf_tokenizer_name": %[1]q, "hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}`
		coc  = `{"context_length": 76, "vocab_size": %d, "width": %d, "heads": %d, "layers": 12, "embed_cls": true, "output_tokens": true}`
		flex = `{"image_size": 256, "timm_model_name": "naflexvit_%s", "timm_pool": "map"%s}`
		kw   = `, "timm_model_kwargs": {"swiglu_mlp": true, "mlp_ratio": 2.6666667, "attn_pool_mlp_ratio": 4.0%s}`
		mod  = `{"text_arch": "modern", "context_length": 256, "vocab_size": 50260, "width": %d, "heads": %d, "layers": 12, "mlp_ratio": 2.6666667,
			"pad_id": 50258, "bos_id": 50259, "eos_id": 50257, "pool_type": "map", "attention_mode": "bidirectional", "norm_eps": 1e-05,
			"qk_norm": true, "attn_gated": true, "tokenizer_type": "tiktoken", "tiktoken_name": "r50k_base", "tokenizer_kwargs": {"clean": "whitespace"}}`
		cap = `"custom_text": true, "multimodal_cfg": {"context_length": 76, "width": %d, "heads": %d, "layers": 12}`
	)
	with := fmt.Sprintf
	all := map[string]func() Spec{}
	add := func(name string, dim int, image, text, more string) {
		if more != "" {
			more = ", " + more
		}
		config := with(`{"embed_dim": %d, "vision_cfg": %s, "text_cfg": %s%s}`, dim, image, text, more)
		all[name] = func() Spec { return published(config) }
	}
	base, small, large := with(b32, 224), "facebook/nllb-200-distilled-600M", "facebook/nllb-200-distilled-1.3B"
	add("roberta-ViT-B-32", 512, base, with(hf, "roberta-base"), `"quick_gelu": true`)
	add("xlm-roberta-base-ViT-B-32", 512, base, with(hf, "xlm-roberta-base"), "")
	add("xlm-roberta-large-ViT-H-14", 1024, h14, with(hf, "xlm-roberta-large"), "")
	add("mt5-base-ViT-B-32", 512, base, with(hf, "google/mt5-base"), "")
	add("mt5-xl-ViT-H-14", 1024, h14, with(hf, "google/mt5-xl"), "")
	add("nllb-clip-base", 512, base, with(cls, small), "")
	add("nllb-clip-large", 1024, h14, with(cls, large), "")
	add("nllb-clip-base-siglip", 768, with(sig, "base_patch16"), with(cls, small), `"custom_text": true, "init_logit_bias": -10`)
	add("nllb-clip-large-siglip", 1152, with(sig, "so400m_patch14"), with(cls, large), `"custom_text": true, "init_logit_bias": -10`)
	add("gte-modernbert-base-ViT-B-32-256", 512, with(b32, 256), `{
		"context_length": 256, "hf_model_name": "Alibaba-NLP/gte-modernbert-base", "hf_tokenizer_name": "Alibaba-NLP/gte-modernbert-base",
		"hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}`, "")
	add("moderntext-ViT-B-32-256", 512, with(b32, 256), `{
		"text_arch": "modern", "context_length": 256, "vocab_size": 50260, "width": 512, "heads": 8, "layers": 12, "mlp_ratio": 2.6666667,
		"pad_id": 50258, "bos_id": 50259, "eos_id": 50257, "pool_type": "eos", "attention_mode": "causal", "attn_gated": true,
		"tokenizer_type": "tiktoken", "tiktoken_name": "r50k_base"}`, "")
	add("moderntext-naflex_ViT-B-16", 512, with(flex, "base_patch16_map", with(kw, "")), with(mod, 512, 8), "")
	add("moderntext-naflex_ViT-B-32", 512, with(flex, "base_patch16_map", with(kw, `, "patch_size": 32, "pos_embed_grid_size": [8, 8]`)), with(mod, 512, 8), "")
	add("moderntext-naflex_ViT-B-deep-16", 640, with(flex, "base_patch16_map", with(kw, `, "depth": 16`)), with(mod, 640, 10), "")
	add("moderntext-naflex_ViT-SO150M2-16", 768, with(flex, "so150m2_patch16_reg1_map", ""), with(mod, 768, 12), "")
	add("coca_base", 512, `{"image_size": 288, "layers": 12, "width": 768, "patch_size": 18}`, with(coc, 64000, 768, 12), with(cap, 768, 12))
	add("coca_ViT-B-32", 512, `{"image_size": 224, "layers": 12, "width": 768, "patch_size": 32, "attentional_pool": true}`,
		with(coc, 49408, 512, 8), with(cap, 512, 8))
	add("coca_ViT-L-14", 768, `{"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14, "attentional_pool": true}`,
		with(coc, 49408, 768, 12), with(cap, 768, 12))
	add("coca_roberta-ViT-B-32", 512, base, `{"hf_model_name": "roberta-base", "hf_tokenizer_name": "roberta-base", "hf_proj_type": "linear"}`, with(cap, 768, 8))
	return all
}

// published reads a model_cfg of a table, which is right.
func published(config string) Spec {
	root := parseObject([]byte(config))
	s := openCLIPModel(root)
	if err := root.err(); err != nil {
		panic(err)
	}
	s.Layout, s.CustomText = OpenCLIP, true
	size := s.Vision.Dims().ImageSize[0]
	s.Preprocess = vision.CLIPPreprocess(size)
	if _, sig := s.Vision.(vision.SigLIP); sig {
		p := sigPreprocess(size)
		s.Preprocess = &p
	}
	return s
}
