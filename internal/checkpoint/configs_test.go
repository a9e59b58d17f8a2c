package checkpoint

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TestPublishedSizes: the published configurations have as many parameters, in
// millions, as open_clip's docs/model_profile.csv says, which counts them on the
// real models. The statistics of BatchNorm are no parameters there.
func TestPublishedSizes(t *testing.T) {
	for name, want := range map[string]float64{
		"RN50": 102.01, "RN50-quickgelu": 102.01, "RN101": 119.69, "RN50x4": 178.3, "RN50x16": 290.98, "RN50x64": 623.26,
		"ViT-B-32": 151.28, "ViT-B-32-quickgelu": 151.28, "ViT-B-32-256": 151.29, "ViT-B-32-plus-256": 210.3,
		"ViT-B-16": 149.62, "ViT-B-16-plus": 208.35, "ViT-B-16-plus-240": 208.38,
		"ViT-L-16": 427.74, "ViT-L-16-320": 427.95, "ViT-L-14": 427.62, "ViT-L-14-280": 427.76, "ViT-L-14-336": 427.94,
		"ViT-L-14-CLIPA": 414.21, "ViT-L-14-CLIPA-336": 414.54,
		"ViT-H-16": 986.26, "ViT-H-14": 986.11, "ViT-H-14-378-quickgelu": 986.71, "ViT-H-14-CLIPA": 968.24, "ViT-H-14-CLIPA-336": 968.64,
		"ViT-g-14": 1366.68, "ViT-bigG-14": 2539.57, "ViT-bigG-14-CLIPA": 2517.22, "ViT-bigG-14-CLIPA-336": 2517.76, "ViT-e-14": 4581.09,
	} {
		s, ok := ConfigByName(name)
		if !ok {
			t.Errorf("%s is not known", name)
			continue
		}
		v, err := s.Vision.New()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		x, err := s.Text.New()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := int64(1) // logit_scale
		for _, p := range append(v.Params(), x.Params()...) {
			if !isStatistic(p.Name) {
				n += int64(p.Size())
			}
		}
		if got := float64(n) / 1e6; !(got >= want-0.0051 && got <= want+0.0051) {
			t.Errorf("%s: got %.3f million parameters, want %.2f", name, got, want)
		}
	}
}

func isStatistic(name string) bool {
	return slices.ContainsFunc([]string{".running_mean", ".running_var"}, func(s string) bool {
		return len(name) > len(s) && name[len(name)-len(s):] == s
	})
}

// TestPublishedRoundTrip: every published configuration is valid and survives
// being written and read in open_clip's form.
func TestPublishedRoundTrip(t *testing.T) {
	names := ConfigNames()
	if len(names) != 154 || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("got %d names, want 154 different ones in order: %v", len(names), names)
	}
	for _, name := range names {
		s, ok := ConfigByName(name)
		if !ok {
			t.Errorf("%s is listed, but not known", name)
			continue
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b, err := openCLIPConfigOf(&s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := parseOpenCLIP(b)
		got.Layout = OpenCLIP // as Open says
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		spellOut(&s)
		if !reflect.DeepEqual(got, s) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, s)
		}
	}
	if _, ok := ConfigByName("no_such_model"); ok {
		t.Error("a configuration that does not exist is known")
	}
}

// spellOut replaces zero values by what they stand for.
func spellOut(s *Spec) {
	if v, ok := s.Vision.(vision.ViT); ok {
		v.MLPRatio = cmp.Or(v.MLPRatio, 4)
		s.Vision = v
	}
	if t, ok := s.Text.(text.Transformer); ok {
		t.MLPRatio = cmp.Or(t.MLPRatio, 4)
		s.Text = t
	}
}

// TestDefaults: a configuration that says as little as it may has the
// reference's defaults.
func TestDefaults(t *testing.T) {
	clip := text.Transformer{ContextLength: 77, VocabSize: 49408, Width: 512, Layers: 12, Heads: 8, EmbedDim: 512, MLPRatio: 4, NormEps: 1e-5, Mask: text.MaskCausal}
	vit := vision.ViT{ImageSize: [2]int{224, 224}, PatchSize: 32, Width: 768, Layers: 12, Heads: 12, EmbedDim: 512, MLPRatio: 4, NormEps: 1e-5, Pool: vision.PoolClass}

	vit.Activation, clip.Activation, clip.Pool, clip.EOSTokenID = nn.QuickGELU, nn.QuickGELU, text.PoolEOS, 49407
	hf := Spec{InitLogitScale: 2.6592, Vision: vit, Text: clip}
	vit.PatchSize, vit.Activation, clip.Activation, clip.Pool, clip.EOSTokenID = 16, nn.GELU, nn.GELU, text.PoolArgmax, 0
	oc := Spec{InitLogitScale: clipLogitScale, Vision: vit, Text: clip, Preprocess: vision.CLIPPreprocess(224)}
	spellOut(&oc)

	got, _, err := parseHuggingFace([]byte(`{}`), &files{})
	if err != nil || !reflect.DeepEqual(got, hf) {
		t.Errorf("config.json:\n got %+v, error %v\nwant %+v", got, err, hf)
	}
	// The old form of a tower's configuration overrides the new one.
	got, _, err = parseHuggingFace([]byte(`{"text_config": {"hidden_act": "gelu"}, "text_config_dict": {}, "vision_config_dict": null}`), &files{})
	if err != nil || !reflect.DeepEqual(got, hf) {
		t.Errorf("config.json with text_config_dict:\n got %+v, error %v\nwant %+v", got, err, hf)
	}
	got, err = parseOpenCLIP([]byte(`{"model_cfg": {"embed_dim": 512, "init_logit_bias": null, "vision_cfg": {"mlp_ratio": null}}}`))
	if err != nil || !reflect.DeepEqual(got, oc) {
		t.Errorf("open_clip_config.json:\n got %+v %+v, error %v\nwant %+v", got, got.Preprocess, err, oc)
	}
	vit.Pool, vit.PoolQueries, vit.PoolHeads = vision.PoolMap, 256, 8
	oc.Vision = vit
	got, err = parseOpenCLIP([]byte(`{"model_cfg": {"embed_dim": 512, "vision_cfg": {"attentional_pool": true}}}`))
	if err != nil || !reflect.DeepEqual(got, oc) {
		t.Errorf("attentional_pool:\n got %+v, error %v\nwant %+v", got.Vision, err, oc.Vision)
	}
	oc.Preprocess.Steps = vision.StepsTransformers
	p, err := parsePreprocessor(parseObject([]byte(`{}`)), "clip")
	if err != nil || !reflect.DeepEqual(p, oc.Preprocess) {
		t.Errorf("preprocessor_config.json: got %+v, error %v, want %+v", p, err, oc.Preprocess)
	}
}

// TestProcessorGenerations: the forms of a size that CLIPImageProcessor reads.
func TestProcessorGenerations(t *testing.T) {
	for config, want := range map[string]vision.Preprocess{
		`{"size": 336, "crop_size": 336}`:                                                 {Size: [2]int{336, 336}},
		`{"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}`:    {Size: [2]int{336, 336}},
		`{"size": {"height": 20, "width": 30}, "crop_size": {"height": 20, "width": 30}}`: {Size: [2]int{20, 30}, Resize: vision.ResizeSquash},
		`{"size": {"height": 20, "width": 30}, "do_center_crop": false, "resample": 2}`:   {Size: [2]int{20, 30}, Resize: vision.ResizeSquash, Interpolation: vision.Bilinear},
		`{"size": 256}`: {Size: [2]int{224, 224}, Scale: [2]int{256, 0}},
		`{"size": {"shortest_edge": 256, "longest_edge": 300}}`:                                         {Size: [2]int{224, 224}, Scale: [2]int{256, 300}},
		`{"size": [30, 50], "crop_size": [20, 40], "resample": 1}`:                                      {Size: [2]int{20, 40}, Scale: [2]int{30, 50}, Resize: vision.ResizeSquash, Interpolation: vision.Lanczos},
		`{"size": 48, "do_center_crop": null}`:                                                          {Scale: [2]int{48, 0}},
		`{"do_resize": false}`:                                                                          {Size: [2]int{224, 224}, Resize: vision.ResizeNone},
		`{"do_resize": null, "do_center_crop": false}`:                                                  {Resize: vision.ResizeNone},
		`{"steps": "open_clip"}`:                                                                        {Size: [2]int{224, 224}},
		`{"do_normalize": false, "do_rescale": null}`:                                                   {Size: [2]int{224, 224}, Std: [3]float32{1 / 255., 1 / 255., 1 / 255.}},
		`{"size": 224, "do_normalize": false}`:                                                          {Size: [2]int{224, 224}, Std: [3]float32{1, 1, 1}},
		`{"image_mean": [0.5, 0.25, 0.125], "image_std": 0.5, "do_pad": false, "feature_extractor": 1}`: {Size: [2]int{224, 224}, Mean: [3]float32{0.5, 0.25, 0.125}, Std: [3]float32{0.5, 0.5, 0.5}},
	} {
		if want.Steps = vision.StepsTransformers; strings.Contains(config, "open_clip") {
			want.Steps = vision.StepsOpenCLIP
		}
		if want.Std == [3]float32{} {
			clip := vision.CLIPPreprocess(224)
			want.Mean, want.Std = clip.Mean, clip.Std
		}
		got, err := parsePreprocessor(parseObject([]byte(config)), "clip")
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s:\n got %+v, error %v\nwant %+v", config, got, err, want)
		}
	}
}
