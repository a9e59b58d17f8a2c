package checkpoint_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/vision"
)

// manifest is what open_clip has of one configuration.
type manifest struct {
	Name              string           `json:"name"`
	Config            json.RawMessage  `json:"config"`
	Class             string           `json:"class"`
	TextClass         string           `json:"text_class"`
	TrunkHeads        int              `json:"trunk_heads"`
	ImageSize         json.RawMessage  `json:"image_size"` // a number for ResNets
	InitLogitScale    float64          `json:"init_logit_scale"`
	InitLogitBias     *float64         `json:"init_logit_bias"`
	Pretrained        map[string]prep  `json:"pretrained"`
	Preprocess        prep             `json:"preprocess_without_tag"`
	Tensors           map[string][]int `json:"tensors"`
	VisionActivations map[string]int   `json:"vision_activations"`
	VisionNorms       map[string]int   `json:"vision_norms"`
	TextActivations   map[string]int   `json:"text_activations"`
	TextNorms         map[string]int   `json:"text_norms"`
}

// prep is how a manifest says that images are prepared.
type prep struct {
	Mean          [3]float32           `json:"mean"`
	Std           [3]float32           `json:"std"`
	Interpolation vision.Interpolation `json:"interpolation"`
	Resize        vision.Resize        `json:"resize_mode"`
}

// TestManifests: each of open_clip's configurations has its model's tensors and shapes,
// the same when it is known by name and when its own file is read, and prepares images
// as each of its published sets of weights wants them.
func TestManifests(t *testing.T) {
	// Sets of weights that differ from others of their configuration, whose repositories
	// have an open_clip_config.json that says so.
	saidElsewhere := []string{"ViT-L-14 laion2b_s32b_b82k", "ViT-H-14 dfn5b", "ViT-H-14-quickgelu dfn5b"}
	all, tags := manifests(t)[1:], 0 // the first line is about the others
	bare := prepOf(vision.CLIPPreprocess(224))
	if len(all) != len(checkpoint.ConfigNames()) {
		t.Errorf("%d configurations, want %d", len(checkpoint.ConfigNames()), len(all))
	}
	for _, m := range all {
		s, ok := checkpoint.ConfigByName(m.Name)
		if !ok {
			t.Errorf("%s is not known", m.Name)
			continue
		}
		read, err := checkpoint.ParseOpenCLIP(slices.Concat([]byte(`{"model_cfg":`), m.Config, []byte("}")))
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		if got := prepOf(read.Preprocess); got != bare || m.Preprocess != bare {
			t.Errorf("%s: without weights images are prepared by %+v, want %+v", m.Name, got, m.Preprocess)
		}
		read.Preprocess = s.Preprocess
		if s, read := described(t, s), described(t, read); s != read {
			t.Errorf("%s: its file reads as\n%s\nand not as\n%s", m.Name, read, s)
		}
		if s.CustomText != (m.Class != "CLIP") || s.InitLogitScale != m.InitLogitScale {
			t.Errorf("%s: CustomText is %t, the logit scale %g, want those of a %s, %g", m.Name, s.CustomText, s.InitLogitScale, m.Class, m.InitLogitScale)
		}
		if want := m.InitLogitBias; s.LogitBias != (want != nil) || want != nil && s.InitLogitBias != *want {
			t.Errorf("%s: logit bias %t, %g, want %v", m.Name, s.LogitBias, s.InitLogitBias, want)
		}
		side := func(b json.RawMessage) string { return strings.Trim(strings.ReplaceAll(string(b), " ", ""), "[]") }
		size := s.Vision.Dims().ImageSize
		if got, one := fmt.Sprintf("%d,%d", size[0], size[1]), fmt.Sprint(size[0]); side(m.ImageSize) != got && side(m.ImageSize) != one {
			t.Errorf("%s: images of %s, want %s", m.Name, got, m.ImageSize)
		}
		for tag, want := range m.Pretrained {
			tags++
			if got := prepOf(s.Preprocess); (got == want) == slices.Contains(saidElsewhere, m.Name+" "+tag) {
				t.Errorf("%s %s: images are prepared by %+v, want %+v (%v apart)", m.Name, tag, got, want, saidElsewhere)
			}
		}
		sameShapes(t, m, s)
	}
	if tags != 198 {
		t.Errorf("%d sets of weights, want 198", tags)
	}
}

func prepOf(p *vision.Preprocess) prep {
	return prep{p.Mean, p.Std, p.Interpolation, p.Resize}
}

// described is a configuration in open_clip's form.
func described(t *testing.T, s checkpoint.Spec) string {
	t.Helper()
	b, err := checkpoint.OpenCLIPConfigOf(&s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sameShapes compares a configuration's parameters with a manifest's tensors.
func sameShapes(t *testing.T, m manifest, s checkpoint.Spec) {
	t.Helper()
	want := m.Tensors
	for _, p := range blank(t, s).params() {
		name := p.Name
		if s.CustomText && !strings.HasPrefix(name, "visual.") && !strings.HasPrefix(name, "logit_") && !strings.HasPrefix(name, "text_decoder.") {
			name = "text." + name
		}
		shape, ok := want[name]
		if !ok || !slices.Equal(shape, p.Shape) {
			t.Errorf("%s: %s has %v, want %v (there: %t)", m.Name, name, p.Shape, shape, ok)
		}
		delete(want, name)
	}
	for name := range want {
		if !strings.HasSuffix(name, ".num_batches_tracked") {
			t.Errorf("%s: no parameter is %s", m.Name, name)
		}
	}
}

func manifests(t *testing.T) []manifest {
	t.Helper()
	f, err := os.Open(golden.Shared(t, "reference", "manifests.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []manifest
	for dec := json.NewDecoder(z); ; {
		var m manifest
		if err := dec.Decode(&m); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}
