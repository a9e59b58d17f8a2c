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
		`{"model_cfg": {"embed_dim": 64, "text_cfg": {"pool_type": "eos", "eos_id": 2, "hf_tokenizer_name": "x", "tokenizer_kwargs": {"clean": "canonicalize"}, "act_kwargs": {"approximate": "tanh"}}}}`)
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
		`{"model_type": "siglip", "text_config": {"projection_size": 48, "hidden_size": 64}, "vision_config": {"hidden_act": "gelu", "image_size": 36, "patch_size": 8, "hidden_size": 48, "num_attention_heads": 4}}`)
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
