package checkpoint_test

import (
	"compress/gzip"
	"encoding/json"
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
