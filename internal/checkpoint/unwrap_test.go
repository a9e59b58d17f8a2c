package checkpoint

import (
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/tensorfile"
)

// nameOnly is weights of names alone.
type nameOnly []string

func (n nameOnly) Names() []string { return n }
func (n nameOnly) Info(name string) (info tensorfile.Info, ok bool) {
	return tensorfile.Info{Name: name, DType: tensorfile.F32}, slices.Contains(n, name)
}
func (nameOnly) Float32(string, []float32) error { return nil }
func (nameOnly) View(string) ([]float32, bool)   { return nil, false }
func (nameOnly) Release(string)                  {}
func (nameOnly) Close() error                    { return nil }

// TestUnwrap: whatever stands before the names of a model, alone or among others, is
// taken off, and what two readings have is not guessed.
func TestUnwrap(t *testing.T) {
	for _, c := range []struct{ name, file, part, want, err string }{
		{"itself", "visual.proj logit_scale", "", "visual.proj logit_scale", ""},
		{"towers of towers", "vision_model.vision_model.x text_model.y", "", "vision_model.vision_model.x text_model.y", ""},
		{"a habit", "module.visual.proj module.logit_scale", "", "visual.proj logit_scale", ""},
		{"a stack", "module._orig_mod.model.clip.visual.proj module._orig_mod.model.clip.logit_scale", "", "visual.proj logit_scale", ""},
		{"a field of any name", "net.backbone.visual.proj net.backbone.logit_scale", "", "visual.proj logit_scale", ""},
		{"a habit before other names", "model.a model.b", "", "a b", ""},
		{"no model", "a b", "", "a b", ""},
		{"nothing", "", "", "", ""},
		{"an average", "n_averaged module.visual.proj module.logit_scale", "", "visual.proj logit_scale", ""},
		{"a loss beside", "model.clip.visual.proj model.clip.logit_scale loss.weight", "", "visual.proj logit_scale", ""},
		{"a training", "net.visual.proj net.logit_scale optimizer.state.0.exp_avg scaler.scale", "", "visual.proj logit_scale", ""},
		{"a segmentation", "clip.vision_model.a clip.logit_scale decoder.film.weight", "", "vision_model.a logit_scale", ""},
		{"a head beside", "clip.visual.proj clip.logit_scale head.weight", "", "", "beside it head.weight, whose part in it is not known: FILE#clip reads the model alone"},
		{"a head beside, alone", "clip.visual.proj clip.logit_scale head.weight", "clip", "visual.proj logit_scale", ""},
		{"two models", "student.visual.proj teacher.visual.proj", "", "", "several models, student. and teacher.: say which one, as in FILE#student"},
		{"two models in a wrapper", "module.student.visual.proj module.teacher.visual.proj", "", "", "as in FILE#module.student"},
		{"the second of two", "student.visual.proj teacher.visual.proj teacher.logit_scale", "teacher", "visual.proj logit_scale", ""},
		{"a part that is not there", "student.visual.proj", "teach", "", "no tensor's name begins with teach."},
		{"a text tower of transformers 5", "embeddings.token_embedding.weight final_layer_norm.bias", "", "text_model.embeddings.token_embedding.weight text_model.final_layer_norm.bias", ""},
		{"an image tower in a field", "m.embeddings.patch_embedding.weight m.head.probe", "m", "vision_model.embeddings.patch_embedding.weight vision_model.head.probe", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := nameOnly(strings.Fields(c.file))
			got, err := unwrap(file, c.part)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(got.Names(), " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
			for _, n := range got.Names() {
				if info, ok := got.Info(n); !ok || !slices.Contains(file, info.Name) {
					t.Errorf("%s is %q of the file", n, info.Name)
				}
			}
		})
	}
}
