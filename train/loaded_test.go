package train_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/goclip/goclip/encoder"
)

// TestFamiliesLoaded: weights that are read where they lie in the file, by the first pass, and packed
// copies, by later ones, give the bits of weights in memory: whoever begins with them, in whatever
// precision, with adapters merged, too. Saved again the model is the same file.
func TestFamiliesLoaded(t *testing.T) {
	ctx := context.Background()
	for name, f := range families() {
		t.Run(name, func(t *testing.T) {
			m := f.model(t)
			b := noise(m, 2)
			features := func(m *encoder.Model) []float32 {
				images, err := m.ImageFeatures(ctx, b.Pixels)
				check(t, err)
				texts, err := m.TextFeatures(ctx, b.Tokens)
				check(t, err)
				return append(slices.Clone(images.Data), texts.Data...)
			}
			dir := t.TempDir()
			check(t, m.SaveAs(dir, encoder.Own))
			load := func(o encoder.Options) *encoder.Model {
				o.Tokenizer = m.Tokenizer()
				m, err := encoder.Load(dir, &o)
				check(t, err)
				t.Cleanup(func() { check(t, m.Close()) })
				return m
			}
			want, mapped := features(m), load(encoder.Options{})
			var all sync.WaitGroup
			for range 3 {
				all.Add(1)
				go func() {
					defer all.Done()
					for n := range 3 {
						if got := features(mapped); !slices.Equal(got, want) {
							t.Errorf("pass %d, beside others: got %v, want %v", n+1, got, want)
						}
					}
				}()
			}
			all.Wait()
			for _, p := range []encoder.Precision{encoder.Float16, encoder.BFloat16, encoder.Int8} {
				m := load(encoder.Options{Precision: p})
				first := features(m)
				for range 2 {
					if got := features(m); !slices.Equal(got, first) {
						t.Errorf("%v: got %v, at first %v", p, got, first)
					}
				}
			}
			again := t.TempDir()
			check(t, mapped.SaveAs(again, encoder.Own))
			if !bytes.Equal(weightsIn(t, again), weightsIn(t, dir)) {
				t.Error("saved again after the passes, the weights are others")
			}
			for _, m := range []*encoder.Model{m, mapped} {
				check(t, m.AddLoRA(encoder.LoRA{Rank: 2}, 1))
				for i, p := range m.Adapters() {
					for j := range p.Data {
						p.Data[j] = float32((i+j)%7) / 20
					}
				}
				check(t, m.MergeLoRA())
			}
			want = features(m)
			for n := range 3 {
				if got := features(mapped); !slices.Equal(got, want) {
					t.Errorf("pass %d after adapters were merged: got %v, want %v", n+1, got, want)
				}
			}
		})
	}
}

func weightsIn(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "goclip_model.safetensors"))
	check(t, err)
	return data
}
