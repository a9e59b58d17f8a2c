package checkpoint_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/vision"
)

// TestHostileConfigs: whatever is in the place of a configuration or preprocessing, it is
// refused at once, in few words, and costs a small multiple of itself.
func TestHostileConfigs(t *testing.T) {
	const most = 1 << 20 // bytes of a configuration
	repeat := strings.Repeat
	var fields, objects strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&fields, `"k%d":1,`, i)
		fmt.Fprintf(&objects, `"k%d":{},`, i)
	}
	texts := map[string]string{
		"nested arrays":    `{"model_cfg":` + repeat("[", most-20),
		"nested objects":   repeat(`{"vision_cfg":`, most/14),
		"closed nesting":   `{"vision_config":` + repeat("[", 400_000) + repeat("]", 400_000) + `}`,
		"unknown fields":   `{` + fields.String() + `"a":1}`,
		"unknown objects":  `{"vision_config":{` + objects.String() + `"a":1},"model_cfg":{` + `"vision_cfg":{"a":1}}}`,
		"unknown in model": `{"model_cfg":{"embed_dim":16,"vision_cfg":{` + fields.String() + `"a":1},"text_cfg":{}}}`,
		"unknown in own":   `{"format":"goclip/1","vision":{"family":"vit","config":{` + fields.String() + `"a":1}}}`,
		"a string":         `{"model_type":"` + repeat("a", most-100) + `"}`,
		"a string, own":    `{"format":"goclip/1","vision":{"family":"` + repeat("a", most-100) + `","config":{}}}`,
		"a number":         `{"model_cfg":{"embed_dim":` + repeat("9", most-100) + `}}`,
		"an array":         `{"model_cfg":{"embed_dim":16,"vision_cfg":{"layers":[` + repeat("1,", 500_000) + `1]}}}`,
		"a mean":           `{"preprocess_cfg":{"mean":[` + repeat("1,", 500_000) + `1]},"image_mean":[` + repeat("1,", 1000) + `1]}`,
		"not UTF-8":        repeat("\xff", most-1),
		"too large":        `{"a":"` + repeat("a", most) + `"}`,
		"nothing":          ``,
		"null":             `null`,
	}
	for _, layout := range []string{checkpoint.OpenCLIP, checkpoint.HuggingFace, checkpoint.Own} {
		dir := saved(t, layout, tinySpec())
		for _, name := range []string{"open_clip_config.json", "config.json", "goclip_config.json", "preprocessor_config.json"} {
			path := filepath.Join(dir, name)
			good, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			for what, text := range texts {
				write(t, path, text)
				frugal(t, layout+", "+name+": "+what, len(text), func() error {
					c, err := checkpoint.Open(dir, &checkpoint.Options{Edited: true})
					if err == nil {
						err = fmt.Errorf("no error, %w", c.Close())
					}
					return err
				})
			}
			write(t, path, string(good))
		}
	}
}

// frugal reports a function that gives no error, a long one, or takes more memory than a
// file of so many bytes is worth.
func frugal(t *testing.T, name string, size int, f func() error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := f()
	runtime.ReadMemStats(&after)
	if err == nil || strings.HasPrefix(err.Error(), "no error") || len(err.Error()) > 4000 {
		t.Errorf("%s: got error %.400v…", name, err)
	}
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(64*size+4<<20); got > most {
		t.Errorf("%s: %d bytes of memory for a file of %d, want at most %d", name, got, size, most)
	}
}

// TestHugeTowers: a configuration of a few lines whose model would fill any machine is
// refused by what the weights beside it have, before memory is taken.
func TestHugeTowers(t *testing.T) {
	dir := saved(t, checkpoint.Own, tinySpec())
	for _, c := range []vision.Config{
		vision.ViT{}, vision.ResNet{}, vision.SigLIP{}, vision.TimmViT{}, vision.PECore{}, vision.EVA{}, vision.EVA02{}, vision.GapViT{},
		vision.RelPosViT{}, vision.ConvStemViT{}, vision.ConvNeXt{},
	} {
		for _, side := range []int{1 << 8, 1 << 12, 1 << 13, 1 << 20} {
			for _, patch := range []int{1, 32} {
				v := reflect.New(reflect.TypeOf(c)).Elem()
				fill(v, side, patch)
				config, err := json.Marshal(map[string]any{
					"format": "goclip/1", "vision": map[string]any{"family": c.Family(), "config": v.Interface()},
					"preprocess": map[string]any{"Size": []int{side, side}, "Std": []float64{1, 1, 1}},
				})
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, "goclip_config.json"), string(config))
				frugal(t, string(config), 1<<20, func() error {
					c, err := checkpoint.Open(dir, &checkpoint.Options{Edited: true})
					if err != nil {
						return err
					}
					defer c.Close()
					tower, err := c.Spec().Vision.New()
					if err != nil {
						return err
					}
					return c.Fill(tower.Params())
				})
			}
		}
	}
}

// fill gives numbers to the fields of a configuration.
func fill(v reflect.Value, side, patch int) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case name == "ImageSize":
			f.Set(reflect.ValueOf([2]int{side, side}))
		case name == "PatchSize":
			f.SetInt(int64(patch))
		case name == "Layers":
			f.SetInt(100)
		case name == "NormEps":
			f.SetFloat(1e-5)
		case name == "Heads" || name == "RotaryGrid":
			f.SetInt(16)
		case f.Kind() == reflect.Uint8:
			f.SetUint(1)
		case f.Kind() == reflect.Int:
			f.SetInt(1 << 12)
		case f.Kind() == reflect.Float64:
			f.SetFloat(1)
		case f.Kind() == reflect.Array && f.Type().Elem().Kind() == reflect.Int:
			for j := range f.Len() {
				f.Index(j).SetInt(64)
			}
		}
	}
}
