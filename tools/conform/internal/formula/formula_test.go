package formula

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
)

// TestTable: the reference's table of states and first values.
func TestTable(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape []int
		seed  uint64
		state uint64
		first []float64
	}{
		{"logit_scale", nil, 0, 0xccda59a2223ea645, []float64{2.5635452270507812}},
		{"visual.trunk.blocks.0.attn.qkv.weight", []int{192, 64}, 0, 0x009f0d5270e470a4,
			[]float64{0.017762145027518272, 0.04625627025961876, 0.13397641479969025, -0.04720704257488251}},
		{"text.ln_final.weight", []int{64}, 3, 0xe197426f1a88c838, []float64{0.8557571172714233, 0.9624766111373901, 0.8016659617424011}},
		{"text.ln_final.bias", []int{64}, 0, 0x2e9739827791fe04, []float64{-0.11913034319877625, -0.043294623494148254, 0.023526713252067566}},
		{"visual.trunk.pos_embed", []int{1, 16, 64}, 1, 0x7d6b48327408a6b0, []float64{-0.17113041877746582, 0.34875279664993286}},
		{"pixel_values", []int{1, 3, 2, 2}, 0, 0x4a225fba9c8224ce, []float64{-1.8648953437805176, -1.974987268447876}},
	} {
		if got := State(c.name, c.seed); got != c.state {
			t.Errorf("%s: state %#x, want %#x", c.name, got, c.state)
		}
		got := Values(c.name, c.shape, c.seed)
		for i, want := range c.first {
			if float64(got[i]) != want {
				t.Errorf("%s[%d] is %v, want %v", c.name, i, got[i], want)
			}
		}
	}
	if a, b := Hash(State("logit_scale", 0), 0), Hash(State("logit_scale", 0), 1); a != 0xa088ffae65d7d36b || b != 0xe200c9843d74e92a {
		t.Errorf("the first outputs are %#x and %#x", a, b)
	}
}

// TestRule: each line of the reference's table of rules, where several fit the first.
func TestRule(t *testing.T) {
	for _, c := range []struct {
		name              string
		shape             []int
		centre, amplitude float64
	}{
		{"logit_bias", []int{1}, -8, 2},
		{"visual.trunk.stem.0.bn.running_mean", []int{64}, 0, 0.25},
		{"visual.trunk.stem.0.bn.running_var", []int{64}, 1, 0.5},
		{"a.layer_scale.gamma", []int{64, 1, 1}, 0.125, 0.0625},
		{"a.gamma_1", []int{64}, 0.5, 0.25},
		{"a.vr_lambda", nil, 0.5, 0.25},
		{"text.token_embedding.weight", []int{256, 64}, 0, 0.5},
		{"text.transformer.embeddings.LayerNorm.weight", []int{64}, 1, 0.25},
		{"text.cls_emb", []int{64}, 0, 0.5},
		{"visual.trunk.attn_pool.latent", []int{1, 1, 64}, 0, 0.5},
		{"visual.attn_pool.query", []int{256, 64}, 0, 0.5},
		{"a.query.weight", []int{12, 12}, 0, math.Sqrt(3 / 12.0)}, // "query" is a rule of the last part
		{"a.norm.weight", []int{64}, 1, 0.25},
		{"a.norm.bias", []int{64}, 0, 0.125},
		{"b.SelfAttention.q.weight", []int{64, 48}, 0, math.Sqrt(3 / (16 * 48.0))},
		{"visual.conv1.weight", []int{64, 3, 8, 8}, 0, math.Sqrt(3 / 192.0)},
	} {
		if centre, amplitude := Rule(c.name, c.shape); centre != c.centre || amplitude != c.amplitude {
			t.Errorf("%s %v: %g and %g, want %g and %g", c.name, c.shape, centre, amplitude, c.centre, c.amplitude)
		}
	}
}

// TestStored: every stored checkpoint of the families is what the formula makes of its
// seed, rounded to the type that is stored.
func TestStored(t *testing.T) {
	dir := golden.Shared(t, "families", "checkpoints")
	b, err := os.ReadFile(dir + "/index.json")
	if err != nil {
		t.Fatal(err)
	}
	var index map[string]struct{ Seed uint64 }
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	tensors := 0
	for model, entry := range index {
		f, err := safetensors.Open(dir + "/" + model + "/open_clip_model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range f.Names() {
			info, _ := f.Info(name)
			if info.DType == "I64" {
				continue // a counter
			}
			want := make([]float32, info.Len())
			if err := f.Float32(name, want); err != nil {
				t.Fatal(err)
			}
			if got := rounded(t, string(info.DType), Values(name, info.Shape, entry.Seed)); !slices.Equal(got, want) {
				t.Errorf("%s: %s differs", model, name)
			}
			tensors++
		}
		f.Close()
	}
	if tensors < 1000 {
		t.Errorf("compared %d tensors", tensors)
	}
}

// rounded rounds to a type of 16 bits, to nearest even.
func rounded(t *testing.T, dtype string, x []float32) []float32 {
	t.Helper()
	bits := map[string]int{"F32": 23, "BF16": 7, "F16": 10}[dtype]
	if bits == 0 {
		t.Fatalf("type %s", dtype)
	}
	y := make([]float32, len(x))
	for i, v := range x {
		if bits == 23 || v == 0 {
			y[i] = v
			continue
		}
		_, exp := math.Frexp(float64(v))
		if bits == 10 {
			exp = max(exp, -13) // half precision's subnormals
		}
		unit := math.Ldexp(1, exp-1-bits)
		y[i] = float32(math.RoundToEven(float64(v)/unit) * unit)
	}
	return y
}
