package torchfile_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/internal/torchfile"
)

// tensors is what both packages' files are.
type tensors interface {
	Names() []string
	Info(name string) (tensorfile.Info, bool)
	Metadata() map[string]string
	Float32(name string, dst []float32) error
	Ints(name string) ([]int64, error)
	Bytes(name string) ([]byte, error)
	View(name string) ([]float32, bool)
	Release(name string)
	Close() error
}

var _, _ tensors = (*safetensors.File)(nil), (*torchfile.File)(nil)

func open(t *testing.T, elem ...string) *torchfile.File {
	t.Helper()
	f, err := torchfile.Open(golden.Fixtures(t, append([]string{"checkpoints"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// same compares two files after a prefix of a's names was cut off.
func same(t *testing.T, a, b tensors, prefix string) {
	t.Helper()
	var an []string
	for _, n := range a.Names() {
		cut, ok := strings.CutPrefix(n, prefix)
		if !ok {
			t.Errorf("%q lacks the prefix %q", n, prefix)
		}
		an = append(an, cut)
	}
	bn := b.Names()
	slices.Sort(an)
	slices.Sort(bn)
	if !slices.Equal(an, bn) {
		t.Fatalf("names differ:\n%v\n%v", an, bn)
	}
	for _, name := range bn {
		ai, _ := a.Info(prefix + name)
		bi, _ := b.Info(name)
		if ai.DType != bi.DType || !slices.Equal(ai.Shape, bi.Shape) {
			t.Errorf("%+v and %+v differ", ai, bi)
			continue
		}
		if !ai.DType.Float() {
			av, err := a.Ints(prefix + name)
			bv, err2 := b.Ints(name)
			if err != nil || err2 != nil || !slices.Equal(av, bv) {
				t.Errorf("%s: %v and %v differ, or errors %v, %v", name, av, bv, err, err2)
			}
			continue
		}
		av, bv := floats(t, a, prefix+name), floats(t, b, name)
		if !slices.Equal(av, bv) {
			t.Errorf("%s: values differ", name)
		}
	}
}

func floats(t *testing.T, f tensors, name string) []float32 {
	t.Helper()
	info, ok := f.Info(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v := make([]float32, info.Len())
	if err := f.Float32(name, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestGoldenTrainingCheckpoint: a checkpoint of open_clip's training has the
// weights of the safetensors file beside it, and its epoch and name.
func TestGoldenTrainingCheckpoint(t *testing.T) {
	f := open(t, "oc_siglip_logitbias_f32", "epoch_3.pt")
	s, err := safetensors.Open(golden.Fixtures(t, "checkpoints", "oc_siglip_logitbias_f32", "open_clip_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	same(t, f, s, "module.")
	if got, want := f.Keys(), []string{"epoch", "name", "state_dict"}; !slices.Equal(got, want) {
		t.Errorf("keys: got %v, want %v", got, want)
	}
	for key, want := range map[string]any{"epoch": int64(3), "name": "oc_siglip_logitbias_f32"} {
		if got, ok := f.Value(key); !ok || got != want {
			t.Errorf("%s: got %v, %v, want %v", key, got, ok, want)
		}
	}
	if _, ok := f.Value("state_dict"); ok {
		t.Error("state_dict is a plain value")
	}
}

// TestGoldenOpenAI: the TorchScript archive, the state dict and the legacy state
// dict of one model agree on every tensor.
func TestGoldenOpenAI(t *testing.T) {
	script := open(t, "openai_vit", "model.pt")
	state := open(t, "openai_vit", "state_dict.pt")
	same(t, script, state, "")
	same(t, state, open(t, "openai_vit", "state_dict_legacy.pt"), "")
	for name, want := range map[string]int64{"input_resolution": 32, "context_length": 77, "vocab_size": 512} {
		if got, err := script.Ints(name); err != nil || !slices.Equal(got, []int64{want}) {
			t.Errorf("%s: got %v and error %v, want %d", name, got, err, want)
		}
	}
	for name, d := range map[string]tensorfile.DType{
		"visual.transformer.resblocks.0.ln_1.weight":          tensorfile.F32,
		"visual.transformer.resblocks.0.attn.in_proj_weight":  tensorfile.F16,
		"transformer.resblocks.0.attn.out_proj.weight":        tensorfile.F16,
		"visual.transformer.resblocks.0.mlp.c_fc.bias":        tensorfile.F16,
		"visual.class_embedding":                              tensorfile.F32,
		"token_embedding.weight":                              tensorfile.F32,
		"logit_scale":                                         tensorfile.F32,
		"context_length":                                      tensorfile.I64,
		"transformer.resblocks.0.mlp.c_proj.weight":           tensorfile.F16,
		"visual.transformer.resblocks.0.mlp.c_proj.weight":    tensorfile.F16,
		"visual.transformer.resblocks.0.attn.out_proj.weight": tensorfile.F16,
	} {
		if info, ok := script.Info(name); !ok || info.DType != d {
			t.Errorf("%s: got %+v, %v, want %s", name, info, ok, d)
		}
	}
}

// TestGoldenResNet: the modules of a TorchScript ResNet, of many mangled classes,
// come out under the names of its state dict, with finite values.
func TestGoldenResNet(t *testing.T) {
	f := open(t, "openai_rn", "model.pt")
	for name, want := range map[string]string{
		"visual.conv1.weight":                         "F16[4 3 3 3]",
		"visual.bn1.running_var":                      "F32[4]",
		"visual.bn1.num_batches_tracked":              "I64[]",
		"visual.layer4.0.downsample.0.weight":         "F16[256 128 1 1]",
		"visual.layer4.0.downsample.1.running_mean":   "F32[256]",
		"visual.attnpool.positional_embedding":        "F32[5 256]",
		"visual.attnpool.c_proj.bias":                 "F16[32]",
		"transformer.resblocks.1.mlp.c_fc.weight":     "F16[256 64]",
		"transformer.resblocks.1.attn.in_proj_weight": "F16[192 64]",
		"logit_scale": "F32[]",
	} {
		info, ok := f.Info(name)
		if got := fmt.Sprint(info.DType, info.Shape); !ok || got != want {
			t.Errorf("%s: got %s, %v, want %s", name, got, ok, want)
		}
	}
	for _, name := range f.Names() {
		if info, _ := f.Info(name); info.DType.Float() {
			for _, v := range floats(t, f, name) {
				if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%s holds %v", name, v)
				}
			}
		}
	}
}
