package encoder_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/internal/tensorfile"
)

// TestHalves: a model whose weights are kept as halves gives the bits of one whose linear
// layers have the same numbers as floats, from a file of any precision; one of a file of such
// halves is the same model.
func TestHalves(t *testing.T) {
	dir := wide(t)
	imgs, texts := someImages(5), captions(5)
	for p, round := range map[encoder.Precision]func(float32) float32{
		encoder.Float16:  func(v float32) float32 { return tensorfile.Float16(tensorfile.ToFloat16(v)) },
		encoder.BFloat16: func(v float32) float32 { return tensorfile.BFloat16(tensorfile.ToBFloat16(v)) },
	} {
		t.Run(p.String(), func(t *testing.T) {
			kept, rounded := loaded(t, dir, encoder.Options{Precision: p}), loaded(t, dir, encoder.Options{Trainable: true})
			halves := 0
			for i, q := range rounded.Params() {
				if k := kept.Params()[i]; k.Halves() {
					if halves++; k.Data != nil {
						t.Fatalf("%s has floats, too", k.Name)
					}
					for j, v := range q.Data {
						q.Data[j] = round(v)
					}
					if !slices.Equal(k.Values(), q.Data) {
						t.Fatalf("%s: other values", k.Name)
					}
				}
			}
			if halves < 16 || kept.Precision() != p {
				t.Fatalf("%d layers are kept as %v", halves, kept.Precision())
			}
			a, b := embedded(t, kept, imgs, texts), embedded(t, rounded, imgs, texts)
			for i, v := range b {
				if math.Float32bits(v) != math.Float32bits(a[i]) {
					t.Fatalf("number %d is %v, with floats %v", i, a[i], v)
				}
			}
			if kept.Fingerprint() != rounded.Fingerprint() {
				t.Error("the same numbers are two models")
			}
			stored := filepath.Join(t.TempDir(), "stored")
			if err := rounded.SaveWith(stored, "", encoder.SaveOptions{Precision: p}); err != nil {
				t.Fatal(err)
			}
			as, floats := loaded(t, stored, encoder.Options{Precision: p}), loaded(t, stored, encoder.Options{})
			if as.Fingerprint() != floats.Fingerprint() || fmt.Sprint(embedded(t, as, imgs, texts)) != fmt.Sprint(embedded(t, floats, imgs, texts)) {
				t.Error("a file of halves is another model when its weights are kept so")
			}
			if err := kept.SaveWith(t.TempDir(), "", encoder.SaveOptions{}); err == nil || !strings.Contains(err.Error(), "kept as "+p.String()) {
				t.Errorf("saving: got error %v", err)
			}
			if err := kept.AddLoRA(encoder.LoRA{Rank: 2}, 1); err == nil || !strings.Contains(err.Error(), "kept as "+p.String()) {
				t.Errorf("adapters: got error %v", err)
			}
		})
	}
}

// TestHalvesTooLarge: a weight that float16 does not have is an error that names it.
func TestHalvesTooLarge(t *testing.T) {
	dir := wide(t)
	m := loaded(t, dir, encoder.Options{Trainable: true})
	name := ""
	for _, p := range m.Params() {
		if p.Halvable() {
			name, p.Data[1] = p.Name, 70000
		}
	}
	if err := m.SaveWith(dir, "", encoder.SaveOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Load(dir, &encoder.Options{Precision: encoder.Float16, Tokenizer: letters.Tokenizer{}}); err == nil || !strings.Contains(err.Error(), "has the number 70000") || name == "" {
		t.Errorf("got error %v", err)
	}
	loaded(t, dir, encoder.Options{Precision: encoder.BFloat16})
}
