package checkpoint

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// fuzzConfig checks a parser on any text: no panic, and what is valid can be made
// into towers, written, and read back as it was.
func fuzzConfig(f *testing.F, parse func([]byte) (Spec, error), format func(*Spec) ([]byte, error), seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		s, err := parse(config)
		if err != nil || s.Validate() != nil {
			return
		}
		v, vit := s.Vision.(vision.ViT)
		if x, ok := s.Text.(text.Transformer); ok && vit && v.Layers+x.Layers < 20 {
			if _, err := s.Vision.New(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Text.New(); err != nil {
				t.Fatal(err)
			}
		}
		b, err := format(&s)
		if err != nil {
			return // a mixture that the layout can say in no canonical way
		}
		once, err := parse(b)
		if err != nil {
			t.Fatalf("%v\nin %s", err, b)
		}
		b, err = format(&once)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := parse(b)
		if err != nil || !reflect.DeepEqual(once, twice) {
			t.Fatalf("error %v\n%+v became\n%+v", err, once, twice)
		}
	})
}

func openCLIPConfigOf(s *Spec) ([]byte, error) {
	config, _, err := formatOpenCLIP(s)
	return config, err
}

func FuzzOpenCLIP(f *testing.F) {
	fuzzConfig(f, parseOpenCLIP, openCLIPConfigOf,
		`{"model_cfg": {"embed_dim": 512}}`,
		`{"model_cfg": {"embed_dim": 48, "quick_gelu": true, "vision_cfg": {"image_size": [32, 48], "layers": [1, 1, 1, 1], "width": 8, "patch_size": null}, "text_cfg": {"heads": 4}}, "preprocess_cfg": {"mean": 0.5}}`,
		`{"model_cfg": {"embed_dim": 64, "init_logit_bias": -10, "custom_text": true, "vision_cfg": {"pool_type": "avg", "layers": 1, "final_ln_after_pool": true, "mlp_ratio": 4.3637}, "text_cfg": {"no_causal_mask": true, "proj_bias": true, "pool_type": "last", "norm_kwargs": {"eps": 1e-06}}}}`,
		`{"model_cfg": {"embed_dim": 64, "custom_text": true, "init_logit_bias": -10, "vision_cfg": {"image_size": 32, "timm_model_name": "vit_so400m_patch14_siglip_224", "timm_pool": "map", "timm_proj": "none", "timm_model_kwargs": {"img_size": 32, "embed_dim": 64, "depth": 1, "num_heads": 2}}, "text_cfg": {"proj_type": "none", "width": 64, "heads": 2, "pool_type": "last"}}}`,
		`{"model_cfg": {"embed_dim": 64, "text_cfg": {"pool_type": "eos", "eos_id": 2, "hf_tokenizer_name": "x", "tokenizer_kwargs": {"clean": "canonicalize"}, "act_kwargs": {"approximate": "tanh"}}}}`,
		`{"model_cfg": {"embed_dim": 64, "text_cfg": {"hf_model_name": "roberta-base", "hf_pooler_type": "cls_pooler", "hf_proj_type": "linear", "hf_model_config": {"num_hidden_layers": 1, "pad_token_id": 3}}}}`,
		`{"model_cfg": {"embed_dim": 768, "text_cfg": {"hf_model_name": "google/mt5-base", "hf_pooler_type": null, "hf_proj_type": null, "hf_model_config": {"d_kv": 8}}}}`,
		`{"model_cfg": {"embed_dim": 64, "text_cfg": {"hf_model_name": "facebook/nllb-200-distilled-600M", "hf_model_config": {"scale_embedding": false}}}}`,
		`{"model_cfg": {"embed_dim": 64, "text_cfg": {"hf_model_name": "Alibaba-NLP/gte-modernbert-base", "hf_model_config": {"local_attention": 9}}}}`,
		`{"model_cfg": {"embed_dim": 64, "text_cfg": {"text_arch": "modern", "eos_id": 5, "mlp_ratio": 2.6666667, "qk_norm": true, "attention_mode": "bidirectional", "tokenizer_type": "tiktoken", "bos_id": 4}}}`,
		`{"model_cfg": {"embed_dim": 64, "custom_text": true, "multimodal_cfg": {"layers": 2}, "text_cfg": {"embed_cls": true, "output_tokens": true, "pad_id": 2}}}`)
}

// FuzzSentence: the steps of sentence-transformers and M-CLIP's configuration.
func FuzzSentence(f *testing.F) {
	f.Add([]byte(`[{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}]`))
	f.Add([]byte(`{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}`))
	f.Add([]byte(`{"pooling_mode": "cls"}`))
	f.Add([]byte(`{"in_features": 4, "out_features": 2, "bias": false, "activation_function": "torch.nn.modules.linear.Identity"}`))
	f.Add([]byte(`{"model_type": "M-CLIP", "modelBase": "xlm-roberta-large", "numDims": 640}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		_, _ = parseModules(config)
		if pool, err := sentencePool(config); err == nil && pool != text.PoolFirst && pool != text.PoolMean && pool != text.PoolMax {
			t.Errorf("pooling %s", pool)
		}
		if d, err := parseDense(config); err == nil && d.head == 0 {
			t.Errorf("a Dense without a head")
		}
		_, _ = parseMCLIP(config)
	})
}

// FuzzRead: a configuration for a tokenizer of 999 tokens.
func FuzzRead(f *testing.F) {
	parse := func(config []byte) (Spec, error) {
		return Read(bytes.NewReader(config), Vocabulary{Size: 999, End: 998})
	}
	fuzzConfig(f, parse, openCLIPConfigOf,
		`{"embed_dim": 128, "quick_gelu": true, "vision_cfg": {"image_size": 32, "patch_size": 4, "width": 192, "layers": 6}, "text_cfg": {"width": 128, "heads": 2, "layers": 2}}`,
		`{"embed_dim": 64, "preprocess_cfg": {"mean": 0.5}, "text_cfg": {"pool_type": "mean", "no_causal_mask": true, "pad_mask": true, "layers": 1}}`,
		`{"model_cfg": {"embed_dim": 64, "vision_cfg": {"layers": 1}, "text_cfg": null}}`)
}

func FuzzHuggingFace(f *testing.F) {
	parse := func(config []byte) (Spec, error) {
		s, _, err := parseHuggingFace(config, &files{})
		return s, err
	}
	format := func(s *Spec) ([]byte, error) {
		files, _, err := writeHuggingFace(s)
		if err != nil {
			return nil, err
		}
		return files[0].Data, nil
	}
	fuzzConfig(f, parse, format,
		`{}`,
		`{"model_type": "clip", "projection_dim": 32, "text_config": {"eos_token_id": 2, "intermediate_size": 160, "hidden_size": 64}, "vision_config": {"hidden_act": "gelu", "image_size": 36, "patch_size": 8, "num_hidden_layers": 1}}`,
		`{"text_config_dict": {"layer_norm_eps": 1e-6}, "vision_config": null, "logit_scale_init_value": 0}`,
		`{"model_type": "siglip", "text_config": {"projection_size": 48, "hidden_size": 64}, "vision_config": {"hidden_act": "gelu", "image_size": 36, "patch_size": 8, "hidden_size": 48, "num_attention_heads": 4}}`,
		`{"model_type": "metaclip_2", "text_config": {"eos_token_id": 2}}`,
		`{"model_type": "chinese_clip", "text_config": {"num_hidden_layers": 1, "hidden_act": "gelu_new"}}`,
		`{"model_type": "altclip", "text_config": {"num_hidden_layers": 1, "project_dim": 8}, "vision_config": {"patch_size": 8}}`,
		`{"model_type": "vision-text-dual-encoder", "vision_config": {"model_type": "vit", "num_hidden_layers": 1}, "text_config": {"model_type": "roberta"}}`,
		`{"model_type": "vision-text-dual-encoder", "vision_config": {"model_type": "clip_vision_model"}, "text_config": {"model_type": "bert", "pad_token_id": 4}}`,
		`{"model_type": "siglip2", "vision_config": {"num_patches": 16, "num_hidden_layers": 1}, "text_config": {"num_hidden_layers": 1}}`,
		`{"model_type": "align", "vision_config": {"width_coefficient": 1.2, "depth_coefficient": 0.5, "depthwise_padding": [1], "image_size": [30, 40]}, "projection_dim": 384}`,
		`{"model_type": "blip", "vision_config": {"num_hidden_layers": 1}, "text_config": {"num_hidden_layers": 1, "is_decoder": true}}`,
		`{"model_type": "blip-2", "vision_config": {"num_hidden_layers": 1}, "qformer_config": {"cross_attention_frequency": 3}, "num_query_tokens": 2}`,
		`{"model_type": "tipsv2", "vision_config": {"use_swiglu_ffn": true, "mlp_ratio": 3}, "text_config": {"num_hidden_layers": 1}, "temperature_init_value": 0.1}`)
}

func FuzzPreprocessor(f *testing.F) {
	f.Add([]byte(`{"size": 224, "crop_size": {"height": 224, "width": 224}, "image_mean": [0, 0, 0], "resample": 3}`))
	f.Add([]byte(`{"size": {"height": 1}, "do_center_crop": false}`)) // once divided by a width of 0
	f.Add([]byte(`{"size": {"height": 3, "width": 5}, "do_center_crop": false, "rescale_factor": 0.00392156862745098}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		p, err := parsePreprocessor(parseObject(config), "siglip")
		if err != nil || p.Validate() != nil {
			return
		}
		b, err := formatPreprocessor(p, "SiglipImageProcessor")
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parsePreprocessor(parseObject(b), "siglip"); err != nil || !reflect.DeepEqual(back, p) {
			t.Fatalf("error %v\n%+v became\n%+v", err, p, back)
		}
	})
}

// FuzzOwn: what goclip's own layout says of a model is written and read back as it was.
func FuzzOwn(f *testing.F) {
	fuzzConfig(f, func(config []byte) (Spec, error) { return parseOwn(config, Families{}) }, formatOwn,
		`{"format": "goclip/1", "vision": {"family": "vit", "config": {"ImageSize": [32, 48], "PatchSize": 8, "Width": 16, "Layers": 1, "Heads": 2, "EmbedDim": 8, "Activation": "gelu", "Pool": "tok", "NormEps": 1e-5}}, "preprocess": {"Size": [32, 48], "Std": [1, 1, 1], "Ground": [255, 0, 7]}, "init_logit_scale": 2.5}`,
		`{"format": "goclip/1", "text": {"family": "transformer", "config": {"ContextLength": 7, "VocabSize": 9, "Width": 16, "Layers": 1, "Heads": 2, "EmbedDim": 8, "Activation": "quick_gelu", "Mask": "causal", "Pool": "eos", "NormEps": 1e-5}}, "init_logit_scale": 0, "init_logit_bias": -10, "tokenizer": "files", "text_clean": "canonicalize"}`)
}
