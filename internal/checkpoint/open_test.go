package checkpoint_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// fillError opens a checkpoint and returns what Fill says.
func fillError(t *testing.T, dir string) error {
	t.Helper()
	c, err := checkpoint.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ps := blank(t, c.Spec()).params()
	err = c.Fill(ps)
	for _, p := range ps {
		if err != nil && p.Data != nil {
			t.Fatalf("%s was filled in spite of %v", p.Name, err)
		}
	}
	return err
}

// TestFillListsEverything: missing, unexpected, misshapen and mistyped tensors
// come in one error, under both names.
func TestFillListsEverything(t *testing.T) {
	dir := saved(t, checkpoint.HuggingFace, tinySpec())
	rewrite(t, filepath.Join(dir, "model.safetensors"), func(ts []safetensors.Tensor) []safetensors.Tensor {
		ts = slices.DeleteFunc(ts, func(t safetensors.Tensor) bool {
			return t.Name == "vision_model.pre_layrnorm.bias" || t.Name == "text_model.encoder.layers.0.self_attn.k_proj.weight"
		})
		for i := range ts {
			switch ts[i].Name {
			case "visual_projection.weight":
				ts[i].Shape = []int{12, 10}
			case "vision_model.encoder.layers.1.self_attn.q_proj.bias":
				ts[i].Shape = []int{3, 4}
			case "logit_scale":
				ts[i].DType = tensorfile.I32
			}
		}
		return append(ts,
			safetensors.Tensor{Name: "text_model.encoder.layers.1.mlp.fc1.bias", Shape: []int{1}, Float32: []float32{0}},
			safetensors.Tensor{Name: "vision_model.embeddings.position_ids", Shape: []int{1}, DType: tensorfile.I64, Raw: make([]byte, 8)},
			safetensors.Tensor{Name: "something.else", Shape: []int{1}, Float32: []float32{0}})
	})
	want := `checkpoint: model.safetensors does not fit the configuration: 2 tensors missing, 2 unexpected, 3 misshapen
	missing: text_model.encoder.layers.0.self_attn.k_proj.weight (transformer.resblocks.0.attn.in_proj_weight): want [8 8]
	missing: vision_model.pre_layrnorm.bias (visual.ln_pre.bias): want [12]
	unexpected: something.else
	unexpected: text_model.encoder.layers.1.mlp.fc1.bias (transformer.resblocks.1.mlp.c_fc.bias)
	misshapen: logit_scale: has type I32, want F32, F16, BF16 or F64
	misshapen: vision_model.encoder.layers.1.self_attn.q_proj.bias (visual.transformer.resblocks.1.attn.in_proj_bias): has [3 4], want [12]
	misshapen: visual_projection.weight (visual.proj): has [12 10], want [10 12]`
	if err := fillError(t, dir); err == nil || err.Error() != want {
		t.Errorf("got error\n%v\nwant\n%s", err, want)
	}
}

// TestManyProblems: of many tensors the first 20 are named.
func TestManyProblems(t *testing.T) {
	dir := saved(t, checkpoint.HuggingFace, tinySpec())
	edit(t, filepath.Join(dir, "config.json"), `"num_hidden_layers": 2`, `"num_hidden_layers": 900`)
	err := fillError(t, dir)
	wantError(t, err, "\n\tmissing: and 14348 more")
	if n := strings.Count(err.Error(), "\n"); n != 21 {
		t.Errorf("%d lines, want 21:\n%s", n, err)
	}
}

// TestConfigAgainstWeights: a configuration of another model is found out before
// a parameter is touched.
func TestConfigAgainstWeights(t *testing.T) {
	for old, edited := range map[string]struct{ new, want string }{
		`"width": 12`:      {`"width": 24`, "misshapen: visual.conv1.weight: has [12 3 8 8], want [24 3 8 8]"},
		`"layers": 2`:      {`"layers": 3`, "missing: visual.transformer.resblocks.2.attn.in_proj_weight: want [36 12]"},
		`"layers": 1`:      {`"layers": 2`, "missing: transformer.resblocks.1.ln_1.bias: want [8]"},
		`"vocab_size": 20`: {`"vocab_size": 21`, "misshapen: token_embedding.weight: has [20 8], want [21 8]"},
		`"embed_dim": 10`:  {`"embed_dim": 10, "init_logit_bias": -10`, "missing: logit_bias: want []"},
		`"image_size": 16`: {`"image_size": 32`, "misshapen: visual.positional_embedding: has [5 12], want [17 12]"},
		`"patch_size": 8`:  {`"patch_size": 8, "no_ln_pre": true`, "2 unexpected, 0 misshapen\n\tunexpected: visual.ln_pre.bias\n\tunexpected: visual.ln_pre.weight"},
	} {
		dir := saved(t, checkpoint.OpenCLIP, tinySpec())
		edit(t, filepath.Join(dir, "open_clip_config.json"), old, edited.new)
		wantError(t, fillError(t, dir), edited.want)
	}
}

// TestOpenRefusesConfig: what the towers do not compute, and what is no
// configuration, is refused with the file's and the field's name.
func TestOpenRefusesConfig(t *testing.T) {
	const oc, hf, pre = "open_clip_config.json", "config.json", "preprocessor_config.json"
	for _, c := range []struct{ file, old, new, want string }{
		{oc, `"patch_size": 8`, `"patch_size": 8, "timm_model_name": "vit"`, `model_cfg.vision_cfg.timm_model_name is "vit", which is not supported`},
		{oc, `"patch_size": 8`, `"patch_size": 8, "attentional_pool": "parallel"`, `model_cfg.vision_cfg.attentional_pool is "parallel", which is not supported`},
		{oc, `"patch_size": 8`, `"patch_size": 8, "attentional_pool": true, "pool_type": "avg"`, "model_cfg.vision_cfg.pool_type is avg beside attentional_pool, which is not supported"},
		{oc, `"patch_size": 8`, `"patch_size": 8, "attentional_pool": true`, "vision: PoolHeads is 8, want a divisor of EmbedDim 10"},
		{oc, `"patch_size": 8`, `"patch_size": [8, 4]`, "model_cfg.vision_cfg.patch_size is [8 4], want a square"},
		{oc, `"patch_size": 8`, `"patch_size": [8, 4, 2]`, "model_cfg.vision_cfg.patch_size has 3 elements"},
		{oc, `"patch_size": 8`, `"patch_size": "8"`, `model_cfg.vision_cfg.patch_size is "8", want an integer`},
		{oc, `"patch_size": 8`, `"patch_size": 8, "pool_type": "map"`, `model_cfg.vision_cfg.pool_type is "map", which is not supported; known are tok, avg`},
		{oc, `"patch_size": 8`, `"patch_size": 8, "norm_kwargs": {"elementwise_affine": false}`, "not supported: model_cfg.vision_cfg.norm_kwargs.elementwise_affine"},
		{oc, `"patch_size": 8`, `"patch_size": 8, "act_kwargs": {}`, "model_cfg.vision_cfg.act_kwargs is {}, which is not supported"},
		{oc, `"patch_size": 8`, `"patch_size": 8, "qk_norm": true`, "model_cfg.vision_cfg.qk_norm is true"},
		{oc, `"patch_size": 8`, `"patch_size": 8, "head_widht": 4`, "not supported: model_cfg.vision_cfg.head_widht"},
		{oc, `"patch_size": 8`, `"patch_size": 17`, "vision: PatchSize is 17"},
		{oc, `"context_length": 6`, `"context_length": 6, "hf_model_name": "bert"`, `model_cfg.text_cfg.hf_model_name is "bert", which is not supported`},
		{oc, `"pool_type": "eos"`, `"pool_type": "none"`, `model_cfg.text_cfg.pool_type is "none", which is not supported; known are argmax, eos, first, last, mean`},
		{oc, `"eos_id": 19,`, ``, "model_cfg.text_cfg.eos_id is missing"},
		{oc, `"eos_id": 19`, `"eos_id": -1`, "model_cfg.text_cfg.eos_id is -1, want a token's id"},
		{oc, `"context_length": 6`, `"context_length": 6, "embed_cls": true, "no_causal_mask": true`, "model_cfg.text_cfg.no_causal_mask is true"},
		{oc, `"context_length": 6`, `"context_length": 6, "tokenizer_kwargs": {"reduction_mask": "random"}`, "not supported: model_cfg.text_cfg.tokenizer_kwargs.reduction_mask"},
		{oc, `"text_cfg": {`, `"multimodal_cfg": {"layers": -1}, "text_cfg": {`, "text: Layers is -1, want 1 to 1000"},
		{oc, `"text_cfg": {`, `"text_cfg": 5, "old": {`, "model_cfg.text_cfg is 5, want an object"},
		{oc, `"mode": "RGB"`, `"mode": "L"`, `preprocess_cfg.mode is "L", which is not supported`},
		{oc, `"resize_mode": "shortest"`, `"resize_mode": "stretch"`, `preprocess_cfg.resize_mode is "stretch", which is not supported; known are shortest, longest, squash`},
		{oc, `"fill_color": 0`, `"fill_color": 256`, "preprocess_cfg.fill_color is 256, want 0 to 255"},
		{oc, `"fill_color": 0`, `"fill_color": 0, "ground": [0, 1]`, "preprocess_cfg.ground is [0 1], want 3 numbers of 0 to 255"},
		{oc, `"fill_color": 0`, `"fill_color": 0,`, "open_clip_config.json: invalid character"},
		{oc, `{`, `[{`, "open_clip_config.json: unexpected end of JSON input"},
		{oc, `"model_cfg": {`, `"model_cfg": null, "x": {`, "open_clip_config.json: model_cfg is missing or empty"},
		{oc, `"model_cfg": {`, `"model_cfg": {}, "x": {`, "open_clip_config.json: model_cfg is missing or empty"},
		{oc, `"vision_cfg": {`, `"vision_cfg": null, "x": {`, "open_clip_config.json: model_cfg.vision_cfg is missing"},
		{hf, `"model_type": "clip"`, `"model_type": "clip", "architectures": ["SiglipForImageClassification"]`, "architectures names SiglipForImageClassification, which is not supported"},
		{hf, `"hidden_act": "quick_gelu"`, `"hidden_act": "relu"`, `text_config.hidden_act is "relu", which is not supported; known are quick_gelu, gelu`},
		{hf, `"model_type": "clip"`, `"model_type": "layoutlm"`, `model_type is "layoutlm", which is not supported; known are clip, siglip, siglip2, metaclip_2, chinese_clip, altclip, vision-text-dual-encoder`},
		{hf, `"model_type": "clip"`, `"model_type": "videoprism"`, `model_type is "videoprism", which is not supported: it is a model of videos`},
		{hf, `"num_channels": 3`, `"num_channels": 1`, "vision_config.num_channels is 1, which is not supported"},
		{hf, `"eos_token_id": 19`, `"eos_token_id": 4294967296`, "text_config.eos_token_id is 4294967296, want a"}, // token's id, or an integer where int has 32 bits
		{hf, `"hidden_size": 8`, `"hidden_size": 0`, "text_config.intermediate_size is 32 and hidden_size 0, want positive numbers"},
		{hf, `"hidden_size": 8`, `"hidden_size": 8.5`, "text_config.hidden_size is 8.5, want an integer"},
		{hf, `"image_size": 16`, `"image_size": 24`, "images are prepared at 16×16 pixels, but the image tower reads 24×24"},
		{pre, `"do_resize": true`, `"do_pad": true`, "preprocessor_config.json: do_pad is true, which is not supported"},
		{pre, `"do_center_crop": true`, `"do_center_crop": false`, "images keep their shape, since nothing is cut to a crop_size, but the image tower reads 16×16 pixels: give do_center_crop and crop_size"},
		{pre, `"steps": "open_clip"`, `"steps": "pillow"`, `steps is "pillow", want open_clip or transformers`},
		{pre, `"shortest_edge": 16`, `"shortest_edge": 20`, "steps is open_clip, beside a size that images are not cut to"},
		{pre, `"shortest_edge": 16`, `"shortest_edge": 16, "max_height": 3`, "not supported: size.max_height"},
		{pre, `"shortest_edge": 16`, `"height": 16`, "size.width is 0, want 1 or more"},
		{pre, `"crop_size": {`, `"crop_size": null, "x": {`, "crop_size is missing, but do_center_crop needs it"},
		{pre, `"size": {`, `"size": null, "x": {`, "size is null, but do_resize needs it"},
		{pre, `"image_std": [`, `"image_std": null, "x": [`, "image_std is null, but do_normalize needs it"},
		{pre, `"resample": 3`, `"resample": 3, "ground": [0, 0, 256]`, "ground is [0 0 256], want 3 numbers of 0 to 255"},
		{pre, `"resample": 3`, `"resample": 3, "ground": "white"`, `ground is "white", want 3 numbers of 0 to 255`},
		{pre, `"resample": 3`, `"resample": 6`, "resample is 6, want 0 (nearest), 1 (lanczos)"},
		{pre, `"rescale_factor": 0.0039`, `"rescale_factor": -0.0039`, "rescale_factor is -0.0039"},
		{pre, `"image_mean": [`, `"image_mean": [1, `, "image_mean has 4 elements, want 3"},
		{pre, `"image_std": [`, `"image_std": 0, "x": [`, "vision: preprocess: Std[0] is 0"},
	} {
		layout := checkpoint.HuggingFace
		if c.file == oc {
			layout = checkpoint.OpenCLIP
		}
		s := tinySpec()
		if strings.Contains(c.want, "images keep their shape") {
			s.Preprocess.Steps = vision.StepsTransformers
		}
		dir := saved(t, layout, s)
		edit(t, filepath.Join(dir, c.file), c.old, c.new)
		ck, err := checkpoint.Open(dir, nil)
		wantError(t, err, c.want, "checkpoint: "+dir)
		if err == nil {
			ck.Close()
		}
	}
}

// TestOpenRefusesFiles: what is no checkpoint says what was looked for.
func TestOpenRefusesFiles(t *testing.T) {
	open := func(path string) error {
		c, err := checkpoint.Open(path, nil)
		if err == nil {
			c.Close()
		}
		return err
	}
	empty := t.TempDir()
	wantError(t, open(empty), "no checkpoint is here; looked for goclip_config.json, open_clip_config.json, config.json, modules.json, model.pt, state_dict.pt")
	if err := open(filepath.Join(empty, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing path: got %v, want one that is fs.ErrNotExist", err)
	}
	write(t, filepath.Join(empty, "open_clip_config.json"), "{}")
	wantError(t, open(empty), "open_clip_model.safetensors, open_clip_pytorch_model.safetensors, "+
		"open_clip_pytorch_model.bin, open_clip_pytorch_model.pth, epoch_N.pt, epoch_latest.pt, config.json")
	wantError(t, open(filepath.Join(empty, "open_clip_config.json")), "the name of a file of weights ends in .safetensors")

	dir := saved(t, checkpoint.OpenCLIP, tinySpec())
	weights := filepath.Join(dir, "open_clip_model.safetensors")
	b, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 4, 100, len(b) - 1} {
		write(t, weights, string(b[:n]))
		wantError(t, open(dir), weights)
	}
	write(t, weights, string(b))
	if err := os.Rename(filepath.Join(dir, "open_clip_config.json"), filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	wantError(t, open(weights), "open_clip_config.json beside open_clip_model.safetensors is missing")
	rewrite(t, weights, func([]safetensors.Tensor) []safetensors.Tensor {
		return []safetensors.Tensor{{Name: "x", Shape: []int{1}, Float32: []float32{1}}}
	})
	write(t, filepath.Join(filepath.Dir(weights), "config.json"), `{"model_type": "clip"}`)
	wantError(t, open(weights), "holds no model of a known layout: no tensor is named vision_model.… or visual.…")
	write(t, filepath.Join(filepath.Dir(weights), "config.json"), `{"model_type": "layoutlm"}`)
	wantError(t, open(weights), `holds no model of a known layout: config.json: model_type is "layoutlm", which is not supported; known are clip, siglip, siglip2, metaclip_2, chinese_clip, altclip, vision-text-dual-encoder, clipseg, align, blip, blip-2, tipsv2`)

	other := t.TempDir()
	for _, name := range []string{"config.json", "pytorch_model.bin.index.json"} {
		write(t, filepath.Join(other, name), "{}")
	}
	wantError(t, open(other), "pytorch_model.bin.index.json: no weight_map, or an empty one")

	dir = saved(t, checkpoint.OpenCLIP, tinySpec())
	write(t, filepath.Join(dir, "open_clip_config.json"), strings.Repeat(" ", 1<<20)+"{}")
	wantError(t, open(dir), "has more than 1048576 bytes")

	dir = saved(t, checkpoint.HuggingFace, tinySpec())
	if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	if err := open(filepath.Join(dir, "model.safetensors")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no config.json: got %v, want an error that is fs.ErrNotExist", err)
	}
}

// TestOpenPrefers: in a folder with several sets of weights open_clip's come
// first, and the last of several training checkpoints.
func TestOpenPrefers(t *testing.T) {
	s := tinySpec()
	dir := saved(t, checkpoint.HuggingFace, s)
	for path, b := range contents(t, saved(t, checkpoint.OpenCLIP, s)) {
		write(t, filepath.Join(dir, path), b)
	}
	c, _ := open(t, dir, nil)
	if got := c.Spec().Layout; got != checkpoint.OpenCLIP {
		t.Errorf("got layout %s, want %s", got, checkpoint.OpenCLIP)
	}
	if err := os.Remove(filepath.Join(dir, "open_clip_model.safetensors")); err != nil {
		t.Fatal(err)
	}
	c, _ = open(t, dir, nil)
	if got := c.Spec().Layout; got != checkpoint.HuggingFace {
		t.Errorf("without open_clip's weights: got layout %s, want %s", got, checkpoint.HuggingFace)
	}
	for _, name := range []string{"epoch_9.pt", "epoch_10.pt", "epoch_latest.pt", "epoch_11.txt"} {
		write(t, filepath.Join(dir, name), "no pickle")
	}
	_, err := checkpoint.Open(dir, nil)
	wantError(t, err, "epoch_10.pt")
	for _, name := range []string{"epoch_9.pt", "epoch_10.pt"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = checkpoint.Open(dir, nil)
	wantError(t, err, "epoch_latest.pt")
}

// TestPrefixes: the names of a training checkpoint and of CustomTextCLIP lose
// their prefixes.
func TestPrefixes(t *testing.T) {
	for prefix, custom := range map[string]bool{"module.": false, "_orig_mod.module.": true, "model.clip.": false} {
		s := tinySpec()
		s.CustomText = custom
		dir := saved(t, checkpoint.OpenCLIP, s)
		rewrite(t, filepath.Join(dir, "open_clip_model.safetensors"), func(ts []safetensors.Tensor) []safetensors.Tensor {
			for i := range ts {
				ts[i].Name = prefix + ts[i].Name
			}
			return ts
		})
		c, m := open(t, dir, nil)
		if got := c.Spec().CustomText; got != custom {
			t.Errorf("custom text: got %v, want %v", got, custom)
		}
		sameParams(t, m.params(), random(t, s).params())
	}
}

// TestOwn: without a copy a parameter of float32 is the file's memory, with
// Options.Own it outlives the file.
func TestOwn(t *testing.T) {
	s := tinySpec()
	dir := saved(t, checkpoint.OpenCLIP, s)
	c, m := open(t, dir, &checkpoint.Options{Own: true})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	sameParams(t, m.params(), random(t, s).params())
	for _, p := range m.params() {
		p.Data[0]++ // would end the program if it were a view
	}
	again := blank(t, s)
	if err := c.Fill(again.params()); err == nil {
		t.Error("a closed checkpoint filled a model")
	}
	c, m = open(t, dir, nil)
	views := func(m *model) *float32 { return &m.text.Params()[1].Data[0] }
	other := blank(t, s)
	if err := c.Fill(other.params()); err != nil {
		t.Fatal(err)
	}
	if views(m) != views(other) {
		t.Error("two models filled from one file do not share its memory")
	}
}

// TestResizeOptions: another resolution and context length change the spec and
// the position embeddings, which elsewhere stay as they are.
func TestResizeOptions(t *testing.T) {
	s := tinySpec()
	want := random(t, s)
	for _, layout := range []string{checkpoint.HuggingFace, checkpoint.OpenCLIP} {
		dir := saved(t, layout, s)
		c, m := open(t, dir, &checkpoint.Options{ImageSize: [2]int{24, 33}, ContextLength: 3})
		got := c.Spec()
		if size := got.Vision.Dims().ImageSize; size != [2]int{24, 33} || got.Preprocess.Size != size || got.Text.Dims().ContextLength != 3 {
			t.Errorf("%s: got the spec %+v %+v", layout, got, got.Preprocess)
		}
		ps := m.params()
		for i, p := range want.params() {
			switch p.Name {
			case "visual.positional_embedding":
				if !slices.Equal(ps[i].Data[:12], p.Data[:12]) {
					t.Errorf("%s: the class token's position has changed", layout)
				}
				checkMean(t, ps[i], p, 12)
			case "positional_embedding":
				// Half as many positions: each lies halfway between two.
				for j := range 3 * 8 {
					row, col := j/8, j%8
					if w := (p.Data[(2*row)*8+col] + p.Data[(2*row+1)*8+col]) / 2; ps[i].Data[j] != w {
						t.Errorf("%s: position %d: got %v, want %v", layout, row, ps[i].Data[j], w)
					}
				}
			default:
				sameParams(t, ps[i:i+1], []*nn.Param{p})
			}
		}
	}
	_, err := checkpoint.Open(saved(t, checkpoint.OpenCLIP, s), &checkpoint.Options{ImageSize: [2]int{4, 4}})
	wantError(t, err, "vision: PatchSize is 8, want 1 to the image's smaller side (4 × 4)")
}

// checkMean: a filter that keeps constants and is symmetric keeps the mean of
// data that rises evenly, as that of the test does.
func checkMean(t *testing.T, got, want *nn.Param, width int) {
	t.Helper()
	mean := func(p *nn.Param) float64 {
		var sum float64
		for _, v := range p.Data[width:] {
			sum += float64(v)
		}
		return sum / float64(len(p.Data)-width)
	}
	if g, w := mean(got), mean(want); !(math.Abs(g-w) <= 1e-5*w) {
		t.Errorf("%s: got mean %v, want %v", got.Name, g, w)
	}
}

// TestTokenizerFS: the folder of a checkpoint serves its other files.
func TestTokenizerFS(t *testing.T) {
	dir := saved(t, checkpoint.OpenCLIP, tinySpec())
	write(t, filepath.Join(dir, "vocab.json"), "{}")
	for _, path := range []string{dir, filepath.Join(dir, "open_clip_model.safetensors")} {
		c, _ := open(t, path, nil)
		if b, err := fs.ReadFile(c.TokenizerFS(), "vocab.json"); err != nil || string(b) != "{}" {
			t.Errorf("%s: got %q and error %v, want {}", path, b, err)
		}
	}
}
