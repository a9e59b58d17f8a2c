package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
)

// sample copies a few cases of a set of reference data: of its indexes, only what is
// said of them.
type sample func(t *testing.T, dir string)

// models copies models of a tree.
func models(tree string, names ...string) sample {
	return func(t *testing.T, dir string) {
		t.Helper()
		from := golden.Shared(t, filepath.FromSlash(tree))
		var index map[string]json.RawMessage
		check(t, readJSON(filepath.Join(from, "checkpoints", "index.json"), &index))
		keep(index, names)
		writeJSON(t, filepath.Join(dir, "checkpoints", "index.json"), index)
		for _, name := range names {
			for _, path := range []string{"checkpoints/" + name, "activations/" + name + ".safetensors",
				"activations/" + name + ".intermediates.safetensors", "stages/" + name + ".safetensors"} {
				if exists(filepath.Join(from, path)) {
					clone(t, filepath.Join(from, path), filepath.Join(dir, path))
				}
			}
		}
	}
}

// formulaModel copies a stored model as one whose weights and pixels are left to the
// formula.
func formulaModel(name string) sample {
	return func(t *testing.T, dir string) {
		t.Helper()
		models("families", name)(t, dir)
		check(t, os.Remove(filepath.Join(dir, "checkpoints", name, "open_clip_model.safetensors")))
		edit("activations/"+name+".safetensors", func(all []safetensors.Tensor) []safetensors.Tensor {
			at := slices.IndexFunc(all, func(x safetensors.Tensor) bool { return x.Name == "pixel_values" })
			replace("checkpoints/index.json", `"weights": "stored"`,
				`"weights": "formula", "pixel_values": {"shape": [4, 3, 32, 32]}`)(t, dir)
			return slices.Delete(all, at, at+1)
		})(t, dir)
	}
}

// pictureFiles copies files of a set of pictures.
func pictureFiles(names ...string) sample {
	return func(t *testing.T, dir string) {
		t.Helper()
		from := golden.Shared(t, "pictures")
		var index struct {
			Cases []map[string]any `json:"cases"`
		}
		check(t, readJSON(filepath.Join(from, "index.json"), &index))
		index.Cases = slices.DeleteFunc(index.Cases, func(c map[string]any) bool { return !slices.Contains(names, c["file"].(string)) })
		writeJSON(t, filepath.Join(dir, "index.json"), index)
		for _, name := range names {
			clone(t, filepath.Join(from, "files", name), filepath.Join(dir, "files", name))
		}
		clone(t, filepath.Join(from, "expected.safetensors"), filepath.Join(dir, "expected.safetensors"))
		edit("expected.safetensors", func(all []safetensors.Tensor) []safetensors.Tensor {
			return slices.DeleteFunc(all, func(x safetensors.Tensor) bool {
				file, _, _ := strings.Cut(x.Name, "#")
				return !slices.Contains(names, file)
			})
		})(t, dir)
	}
}

// tokenizers copies tokenizers with a few lines of their texts.
func tokenizers(names ...string) sample {
	return func(t *testing.T, dir string) {
		t.Helper()
		for _, name := range names {
			clone(t, golden.Shared(t, "tokenizers", name), filepath.Join(dir, name))
			for _, file := range []string{casesFile, encodeFile} {
				rewrite(name+"/"+file, func(b []byte) []byte {
					return []byte(strings.Join(strings.SplitAfterN(string(b), "\n", 5)[:4], ""))
				})(t, dir)
			}
		}
	}
}

func folder(set, path string) sample {
	return func(t *testing.T, dir string) {
		t.Helper()
		clone(t, golden.Shared(t, set, filepath.FromSlash(path)), filepath.Join(dir, filepath.FromSlash(path)))
	}
}

func keep(index map[string]json.RawMessage, names []string) {
	for name := range index {
		if !slices.Contains(names, name) {
			delete(index, name)
		}
	}
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	check(t, err)
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, b, 0o644))
}

// TestRecognised: what a folder holds is told by its content, whatever its name, and all
// of it is compared.
func TestRecognised(t *testing.T) {
	siglip := models("families", "siglip_b16_f32")
	for _, c := range []struct {
		name    string // of the folder, which says something else
		samples []sample
		args    []string
		want    string // the table
	}{
		{"pictures", []sample{siglip}, nil, "family:siglip 2 2"},
		{"families", []sample{models("families_hf", "siglip_f32")}, nil, "class:SiglipModel 2 2"},
		{"fixtures", []sample{formulaModel("siglip_b16_f32")}, nil, "family:siglip 2 2"},
		{"tokenizers", []sample{pictureFiles("gif_rgb.gif", "turned_6.jpg", "png_g_trns_empty.png")}, nil, "picture:png-tolerated 1 1, picture:truncated 1 1, picture:gif 2 2, picture:turned-jpeg 3 3"},
		{"stages", []sample{tokenizers("clip")}, nil, "tokenizer:clip 12 12"},
		{"naflex", []sample{folder("families_hf", "preprocess")}, []string{"-run", "preprocess:(siglip_32|decoded|defaults)/.*(rgb_landscape|Siglip)"}, "preprocess:siglip_32 1 1, preprocess:decoded 1 1, preprocess:defaults 4 4"},
		{"nothing", []sample{func(t *testing.T, dir string) { siglip(t, filepath.Join(dir, "one", "two")) }}, nil, ""},
		{"nested", []sample{siglip, func(t *testing.T, dir string) { formulaModel("siglip_b16_f32")(t, filepath.Join(dir, "within")) }}, nil, "family:siglip 4 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), c.name)
			check(t, os.MkdirAll(dir, 0o755))
			for _, s := range c.samples {
				s(t, dir)
			}
			args := append(slices.Clone(c.args), dir, golden.Fixtures(t))
			if !strings.HasPrefix(c.want, "tokenizer:") {
				args = append(slices.Clone(c.args), dir) // without CLIP's vocabulary
			} else {
				args = append([]string{"-run", "tokenizer:"}, args...)
			}
			_, out, notes := conform(t, args...)
			var got []string
			for line := range strings.Lines(out) {
				f := strings.Fields(line)
				if len(f) > 3 && strings.Contains(f[0], ":") && f[0] != "FAIL" {
					got = append(got, strings.Join(f[:3], " "))
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("found %q, want %q\n%s%s", got, c.want, out, notes)
			}
		})
	}
}

// TestDamagedSets: in every kind of set a changed value fails, and the line says where.
func TestDamagedSets(t *testing.T) {
	const siglip, hf = "siglip_b16_f32", "siglip_f32"
	nan := float32(math.NaN())
	family, class := models("families", siglip), models("families_hf", hf)
	made, processors := formulaModel(siglip), folder("families_hf", "preprocess")
	scaling, files := folder("fixtures", "scaling"), pictureFiles("gif_rgb.gif", "turned_6.jpg")
	for _, c := range []struct {
		name   string
		data   sample
		run    string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"feature", family, "", bump("activations/"+siglip+".safetensors", "image_features", 1e-3), "image_features: difference 0.00"},
		{"NaN", family, "", bump("activations/"+siglip+".safetensors", "logit_bias", nan), "logit_bias: difference NaN"},
		{"stage", family, "", bump("stages/"+siglip+".safetensors", "visual.trunk.blocks.1", 1e-2), "stages: visual.trunk.blocks.1: difference 0.0"},
		{"NaN in a stage", family, "", bump("stages/"+siglip+".safetensors", "text.ln_final", nan), "stages: text.ln_final: difference NaN"},
		{"removed input", family, "", remove("activations/"+siglip+".safetensors", "input_ids"), "nothing is compared with "},
		{"no stages' model", family, "", create("stages/other.safetensors"), "FAIL stages/other.safetensors: no case uses this file"},
		{"grids", family, "", lone("naflex/" + siglip + ".safetensors"), ": the tensor patch_coord is missing"},

		{"feature by formula", made, "", bump("activations/"+siglip+".safetensors", "text_features", 1e-3), "text_features: difference 0.00"},
		{"seed", made, "", replace("checkpoints/index.json", `"seed": 0`, `"seed": 5`), "difference"},
		{"number of parameters", made, "", replace("checkpoints/index.json", `"parameters": 285058`, `"parameters": 285059`), "goclip's towers have "},
		{"shape of the pixels", made, "", replace("checkpoints/index.json", `[4, 3, 32, 32]`, `[4, 3, 32, 40]`), "pixel_values has shape [4 3 32 40]"},

		{"feature of a class", class, "", bump("activations/"+hf+".safetensors", "text_features", 1e-3), "text_features: difference 0.00"},
		{"intermediate of a class", class, "", bump("activations/"+hf+".intermediates.safetensors", "vision.head.mlp", 1e-2), "intermediates: vision.head.mlp: difference 0.0"},
		{"unknown output", class, "", add("activations/"+hf+".safetensors", "itm_logits"), "not supported: itm_logits"},
		{"unknown aspect", class, "", add("activations/"+hf+".safetensors", "blurred.text_features"), "blurred: not supported: "},

		{"pixel of a processor", processors, "siglip_32/.*grey.png", bump("preprocess/expected.safetensors", "siglip_32/pil/grey.png", 0), "siglip_32/grey.png: pixels: difference 1, tolerance 0"},
		{"normalised pixel", processors, "siglip_32/.*grey.png", all("preprocess/index.json", "0.00784313725490196", "0.0079"), "pixel_values: difference 0.0"},
		{"start of a processor", processors, "decoded/", bump("preprocess/decoded.safetensors", "rgb_white/rgba.png", 0), "rgb_white/rgba.png: difference 1, tolerance 0"},
		{"form", processors, "forms/.*Fast suffix", all("preprocess/defaults.json", "\"SiglipImageProcessor\",\n    \"size\": {\n     \"height\": 48", "\"SiglipImageProcessor\",\n    \"size\": {\n     \"height\": 49"), "form Fast suffix: size: difference 1"},
		{"output of no variant", processors, "unknown", add("preprocess/expected.safetensors", "new_32/pil/grey.png"), "preprocess/new_32/pil/grey.png: index.json has no such picture"},

		{"pixel", files, "", bump("expected.safetensors", "gif_rgb.gif", 0), "FAIL gif_rgb.gif: pixels: difference 1, tolerance 0"},
		{"upright pixel", files, "", bump("expected.safetensors", "turned_6.jpg#upright", 0), "FAIL turned_6.jpg upright: pixels: difference 1, tolerance 0"},
		{"resized pixel", files, "", bump("expected.safetensors", "gif_rgb.gif#clip32", 0), "FAIL gif_rgb.gif clip32: clip32: difference 1, tolerance 0"},
		{"no tolerance", files, "", replace("index.json", `"tolerance": 0`, `"tolerance": null`), "tolerance NaN"},
		{"another file", files, "", create("files/gif_rgb.gif"), "the file's SHA-256 is "},
		{"file of no case", files, "", create("files/new.gif"), "FAIL files/new.gif: no case uses this file"},
		{"expected of no file", files, "", add("expected.safetensors", "new.gif"), "FAIL new.gif: index.json has no such picture"},

		{"id", tokenizers("clip"), "tokenizer:clip/.*cases.jsonl:1$", replace("clip/"+casesFile, "[49406, 529", "[49406, 530"), "cases.jsonl:1: ids: difference 1, tolerance 0, first at 1: got 529, want 530"},
		{"field of a text", tokenizers("clip"), "tokenizer:clip/.*cases.jsonl:1$", replace("clip/"+casesFile, `"decoded"`, `"new": 1, "decoded"`), `unknown field "new"`},
		{"part of a tokenizer", tokenizers("clip"), "tokenizer:", create("clip/tokenizer.gguf"), "FAIL clip/tokenizer.gguf: no case uses this file"},

		{"exponent", scaling, "", replace("scaling/README.md", "0.1114", "0.1116"), "imagenet1k OpenCLIP: exponent: difference 0.0002"},
		{"factor", scaling, "", replace("scaling/README.md", "982.5", "983.5"), "vtab/cifar10 OpenAI: factor: difference "},
		{"result", scaling, "", truncate("scaling/zeroshot_results.csv"), "scaling/"},
		{"stranger", scaling, "", create("new.bin"), "FAIL new.bin: no case uses this file"},
		{"strange folder", scaling, "", func(t *testing.T, dir string) { check(t, os.Mkdir(filepath.Join(dir, "new"), 0o755)) }, "FAIL new: no case uses this folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.data(t, dir)
			args := []string{"-v", "-run", c.run, dir}
			if strings.HasPrefix(c.run, "tokenizer:") {
				args = append(args, golden.Fixtures(t)) // CLIP's vocabulary
			}
			if strings.Contains(c.run, "cases.jsonl") { // what is undamaged passes
				if status, out, notes := conform(t, args...); status != 0 {
					t.Errorf("undamaged: status %d\n%s%s", status, lines(out, "FAIL "), notes)
				}
			}
			c.damage(t, dir)
			status, out, notes := conform(t, args...)
			if failures := lines(out, "FAIL "); status != 1 || !strings.Contains(failures, c.want) {
				t.Errorf("status %d and no failure has …%s…:\n%s%s", status, c.want, failures, notes)
			}
		})
	}
}

// lone writes a file with one tensor.
func lone(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(file))
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, safetensors.WriteFile(path, []safetensors.Tensor{{Name: "patches", Shape: []int{1}, Float32: []float32{1}}}, nil))
	}
}
