package encoder_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// adapted is a model of seed 1 with adapters as if they had been trained.
func adapted(t *testing.T, cfg encoder.Config, lora encoder.LoRA) *encoder.Model {
	t.Helper()
	m := model(t, cfg)
	check(t, m.AddLoRA(lora, 1))
	for i, p := range m.Adapters() {
		for j := range p.Data {
			p.Data[j] = 0.1 * float32(math.Sin(float64(1+i+7*j)))
		}
	}
	return m
}

func poolings() map[string]encoder.Config {
	resnet, mapped, biased := config(), config(), config()
	resnet.Vision = vision.ResNet{ImageSize: [2]int{32, 32}, Width: 2, Heads: 1, EmbedDim: 16, Stages: [4]int{1, 1, 1, 1}}
	preprocess := *resnet.Preprocess
	preprocess.Size = resnet.Vision.Dims().ImageSize
	resnet.Preprocess = &preprocess
	vit(&mapped, func(c *vision.ViT) { c.Pool, c.PoolQueries, c.PoolHeads = vision.PoolMap, 2, 2 })
	transformer(&biased, func(c *text.Transformer) { c.Proj = text.ProjLinear })
	return map[string]encoder.Config{"vit": config(), "resnet": resnet, "attention pool": mapped, "projection with bias": biased}
}

// TestFreshAdaptersChangeNothing, to the bit, and trained ones that are taken
// off leave nothing.
func TestFreshAdaptersChangeNothing(t *testing.T) {
	for name, cfg := range poolings() {
		t.Run(name, func(t *testing.T) {
			m := model(t, cfg)
			want := embeddings(t, m)
			check(t, m.AddLoRA(encoder.LoRA{Rank: 2}, 1))
			same(t, "with fresh adapters", embeddings(t, m), want)
			m = adapted(t, cfg, encoder.LoRA{Rank: 2})
			if slices.Equal(embeddings(t, m), want) {
				t.Error("trained adapters change nothing")
			}
			m.RemoveLoRA()
			same(t, "without adapters again", embeddings(t, m), want)
		})
	}
}

// TestMergedAdapters give the same embeddings to rounding, also where the
// weights are mapped from a file, whose bytes stay.
func TestMergedAdapters(t *testing.T) {
	near := func(what string, got, want []float32) {
		t.Helper()
		for i := range want {
			if diff := math.Abs(float64(got[i]) - float64(want[i])); !(diff <= 2e-6) {
				t.Fatalf("%s: %d is %g, want %g", what, i, got[i], want[i])
			}
		}
	}
	for name, cfg := range poolings() {
		t.Run(name, func(t *testing.T) {
			m := adapted(t, cfg, encoder.LoRA{Rank: 3, Alpha: 6})
			want := embeddings(t, m)
			check(t, m.MergeLoRA())
			near("merged", embeddings(t, m), want)
			if _, ok := m.LoRA(); ok || len(m.Adapters()) != 0 {
				t.Errorf("after merging there are still %d adapters", len(m.Adapters()))
			}
		})
	}
	base := storable(t)
	plain := embeddings(t, base)
	dir := saved(t, base, encoder.OpenCLIP)
	m, err := encoder.Load(dir, nil)
	check(t, err)
	defer m.Close()
	check(t, m.AddLoRA(encoder.LoRA{Rank: 2}, 1))
	for _, p := range m.Adapters() {
		for j := range p.Data {
			p.Data[j] = 0.05
		}
	}
	want := embeddings(t, m)
	check(t, m.MergeLoRA())
	near("merged into mapped weights", embeddings(t, m), want)
	again, err := encoder.Load(dir, nil)
	check(t, err)
	defer again.Close()
	same(t, "the file after merging", embeddings(t, again), plain)
}

// TestAdaptersSavedApart come back bit for bit, for the layers they were made
// for.
func TestAdaptersSavedApart(t *testing.T) {
	m := adapted(t, config(), encoder.LoRA{Rank: 2, Alpha: 5, Targets: []string{"visual.*.attn.*", "transformer.resblocks.1.mlp.c_fc.weight"}})
	want := embeddings(t, m)
	path := filepath.Join(t.TempDir(), "adapters.safetensors")
	check(t, m.SaveLoRA(path))

	f, err := safetensors.Open(path)
	check(t, err)
	defer f.Close()
	if got, want := len(f.Names()), 2*(2*2+1); got != want {
		t.Errorf("the file has %d tensors, want %d: %v", got, want, f.Names())
	}
	wantConfig := `{"r":2,"lora_alpha":5,"target_modules":["visual.*.attn.*","transformer.resblocks.1.mlp.c_fc.weight"]}`
	if got := f.Metadata()["lora"]; got != wantConfig {
		t.Errorf("metadata lora is %s, want %s", got, wantConfig)
	}
	if info, ok := f.Info("visual.transformer.resblocks.0.attn.in_proj.lora_B.weight"); !ok || !slices.Equal(info.Shape, []int{72, 2}) {
		t.Errorf("in_proj's B is %v, want (72, 2)", info)
	}

	check(t, m.SaveLoRA(path))
	foreign := filepath.Join(t.TempDir(), "model.safetensors")
	check(t, safetensors.WriteFile(foreign, []safetensors.Tensor{{Name: "a", Shape: []int{1}, Float32: []float32{1}}}, nil))
	before, err := os.ReadFile(foreign)
	check(t, err)
	fails(t, "is not a file of adapters", m.SaveLoRA(foreign))
	if after, err := os.ReadFile(foreign); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a file of weights was changed, error %v", err)
	}

	other := model(t, config())
	check(t, other.LoadLoRA(path))
	same(t, "loaded", embeddings(t, other), want)
	if got, ok := other.LoRA(); !ok || got.Rank != 2 || got.Alpha != 5 || len(got.Targets) != 2 {
		t.Errorf("the loaded adapters are %+v", got)
	}
}

// TestAdaptersOfTheFirstVersion had none for the packed matrices of attention pooling.
func TestAdaptersOfTheFirstVersion(t *testing.T) {
	cfg := poolings()["attention pool"]
	path := filepath.Join(t.TempDir(), "adapters.safetensors")
	m := adapted(t, cfg, encoder.LoRA{Rank: 2})
	check(t, m.SaveLoRA(path))
	f, err := safetensors.Open(path)
	check(t, err)
	var old []safetensors.Tensor
	for _, name := range f.Names() {
		if strings.Contains(name, "attn_pool.attn.") && strings.Contains(name, "_proj.lora_") && !strings.Contains(name, "out_proj") {
			continue
		}
		info, _ := f.Info(name)
		v := make([]float32, info.Len())
		check(t, f.Float32(name, v))
		old = append(old, safetensors.Tensor{Name: name, Shape: info.Shape, Float32: v})
	}
	if len(old) >= len(f.Names()) {
		t.Fatalf("nothing was left out of %v", f.Names())
	}
	check(t, f.Close())
	check(t, safetensors.WriteFile(path, old, f.Metadata()))
	other := model(t, cfg)
	check(t, other.LoadLoRA(path))
	if got, want := len(other.Adapters()), len(old); got != want {
		t.Errorf("the model has %d tensors of adapters, want %d", got, want)
	}
}

func TestLoRARefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	m := adapted(t, config(), encoder.LoRA{Rank: 2})
	check(t, m.SaveLoRA(file("good")))
	fails(t, "the model already has adapters: call MergeLoRA or RemoveLoRA first", m.AddLoRA(encoder.LoRA{Rank: 1}, 1))
	fails(t, "the model already has adapters: call MergeLoRA or RemoveLoRA first", m.LoadLoRA(file("good")))
	fails(t, "the model has adapters: SaveLoRA writes them", m.Save(file("model")))

	plain := model(t, config())
	want := embeddings(t, plain)
	fails(t, "the model has no adapters", plain.MergeLoRA())
	fails(t, "the model has no adapters", plain.SaveLoRA(file("none")))
	fails(t, "Rank is 0", plain.AddLoRA(encoder.LoRA{}, 1))
	fails(t, "Alpha NaN", plain.AddLoRA(encoder.LoRA{Rank: 1, Alpha: math.NaN()}, 1))
	fails(t, `"visual.proj" matches no weight of a linear layer`, plain.AddLoRA(encoder.LoRA{Rank: 1, Targets: []string{"*.attn.*", "visual.proj"}}, 1))
	fails(t, `"[" is a malformed pattern`, plain.AddLoRA(encoder.LoRA{Rank: 1, Targets: []string{"["}}, 1))

	good, err := os.ReadFile(file("good"))
	check(t, err)
	write := func(name string, tensors []safetensors.Tensor, metadata map[string]string) string {
		check(t, safetensors.WriteFile(file(name), tensors, metadata))
		return file(name)
	}
	damaged := slices.Clone(good)
	damaged[len(damaged)-9] ^= 1
	check(t, os.WriteFile(file("damaged"), damaged, 0o666))
	check(t, os.WriteFile(file("cut"), good[:len(good)/2], 0o666))
	one := []safetensors.Tensor{{Name: "ln_final.bias", Shape: []int{1}, Float32: []float32{1}}}
	meta := func(s string) map[string]string { return map[string]string{"lora": s} }
	all := `{"r":1,"lora_alpha":1,"target_modules":["*"]}`
	for want, path := range map[string]string{
		"checksum":                  file("damaged"),
		"bytes of data":             file("cut"),
		`no metadata "lora"`:        write("no metadata", one, nil),
		`metadata "lora": `:         write("no json", one, meta("{")),
		"want all three":            write("no rank", one, meta(`{"lora_alpha":1,"target_modules":["*"]}`)),
		`unknown field "bias"`:      write("unknown", one, meta(`{"r":1,"bias":"all"}`)),
		"more than one value":       write("two", one, meta(all+all)),
		"Rank is 1000000":           write("large", one, meta(strings.Replace(all, `"r":1`, `"r":1000000`, 1))),
		`"nothing" matches no`:      write("targets", one, meta(strings.Replace(all, "*", "nothing", 1))),
		"unexpected ln_final.bias":  write("tensors", one, meta(all)),
		"missing transformer.resbl": file("tensors"),
	} {
		err := plain.LoadLoRA(path)
		fails(t, want, err)
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("error %v does not name %s", err, path)
		}
	}
	wider := config()
	transformer(&wider, func(c *text.Transformer) { c.Width = 32 })
	fails(t, "transformer.resblocks.0.attn.in_proj.lora_A.weight is F32[2 16], want F32[2 32]", model(t, wider).LoadLoRA(file("good")))
	same(t, "after all refusals", embeddings(t, plain), want)
}
