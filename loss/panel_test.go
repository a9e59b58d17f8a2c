package loss

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/goclip/goclip/nn"
)

func units(seed uint64, b, d int) []float32 {
	r := rand.New(rand.NewPCG(seed, seed))
	x := make([]float32, b*d)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for i := range b {
		nn.NormalizeRow(x[i*d:][:d], x[i*d:][:d])
	}
	return x
}

// plainTargets are each image's own text.
func plainTargets(b int) *right { return Targets{}.resolve(nil, b, b) }

// TestPanelsAreBits: value and gradients are the same for any number of images in memory.
func TestPanelsAreBits(t *testing.T) {
	const b, d = 1100, 24
	image, text := units(1, b, d), units(2, b, d)
	for _, scale := range []float32{10, -10, 60} {
		type bits struct {
			value, dScale, dBias float64
			dImage, dText        []float32
		}
		of := func(panel int) (got []bits) {
			f := choices{contrast: newContrast(b, b, d), right: plainTargets(b)}
			f.panel = panel
			f.begin(image, text, scale, f.right.places(f.right.pair))
			value := f.value()
			f.backward(float64(scale))
			got = append(got, bits{value, f.dScale, 0, f.dImage, f.dText})

			c := newContrast(b, b, d)
			c.panel = panel
			c.begin(image, text, scale, f.right.places(func(int) bool { return true }))
			losses := make([]float64, b)
			c.pull(float64(scale), 1/float64(b), func(int) weigher {
				return func(i int, sim []float32) (dScale, dBias float64) {
					losses[i], dScale, dBias = c.logistic(i, sim, -3, f.right)
					return dScale, dBias
				}
			})
			return append(got, bits{total(losses), c.dScale, c.dBias, c.dImage, c.dText})
		}
		want := of(b)
		for _, panel := range []int{tile, 2 * tile, 4 * tile} {
			for k, got := range of(panel) {
				w := want[k]
				same := got.value == w.value && got.dScale == w.dScale && got.dBias == w.dBias
				for i := range w.dImage {
					same = same && math.Float32bits(got.dImage[i]) == math.Float32bits(w.dImage[i]) && math.Float32bits(got.dText[i]) == math.Float32bits(w.dText[i])
				}
				if !same || w.value != w.value {
					t.Errorf("loss %d at scale %g: %d images at a time give other bits than %d: value %v, want %v", k, scale, panel, b, got.value, w.value)
				}
			}
		}
	}
}

// TestMemoryIsBounded: with 32,768 pairs no more than the embeddings, their gradients and a
// panel are in memory, a fiftieth of what all logits are.
func TestMemoryIsBounded(t *testing.T) {
	b, d := 32768, 16
	if testing.Short() {
		b = 8192
	}
	image, text := units(1, b, d), units(2, b, d)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f := choices{contrast: newContrast(b, b, d), right: plainTargets(b)}
	f.begin(image, text, 10, f.right.places(f.right.pair))
	value := f.value()
	f.backward(10)
	runtime.ReadMemStats(&after)
	used, logits := float64(after.TotalAlloc-before.TotalAlloc), 4*float64(b)*float64(b)
	if bound := 2 * float64(4*tile*b+10*4*b*d); !(used <= bound) {
		t.Errorf("%d pairs took %.0f MB in all, want %.0f MB at most; their logits are %.0f MB", b, used/1e6, bound/1e6, logits/1e6)
	}
	if math.IsNaN(value) || !(value > 0) {
		t.Errorf("the loss is %g", value)
	}
}
