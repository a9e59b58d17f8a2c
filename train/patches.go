package train

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// patchDropout says which patches of an image a step sees.
type patchDropout struct {
	n, kept int // patches of an image, and how many of them remain; 0 without dropout
	seed    uint64
}

// newPatchDropout keeps at least one patch.
func newPatchDropout(m *encoder.Model, rate float64, seed uint64) patchDropout {
	d, ok := m.Vision().(vision.PatchDropper)
	if rate == 0 || !ok {
		return patchDropout{}
	}
	n := d.Patches()
	return patchDropout{n, max(1, int(float64(n)*(1-rate))), seed}
}

// keep adds the numbers of the patches that remain, (B, K); it is nil without
// dropout.
func (p *pass) keep() *G.Node {
	d := p.dropout
	if d.kept == 0 {
		return nil
	}
	kept := make([]int32, p.batch*d.kept)
	p.feed(func(_ *Batch, from, step int) error {
		for i := range p.batch {
			drawPatches(kept[i*d.kept:][:d.kept], d.n, d.seed, step, from+i)
		}
		return nil
	})
	return nn.Leaf(p.graph, "kept", kept, p.batch, d.kept)
}

// drawPatches fills kept with numbers below n, ascending, each set as likely as
// any other (Knuth, 3.4.2, algorithm S). It depends on the seed, the step and the
// number of the pair in its batch alone, so that a resumed training sees what an
// uninterrupted one does.
func drawPatches(kept []int32, n int, seed uint64, step, pair int) {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, [2]int64{int64(step), int64(pair)})
	random := rand.NewPCG(seed, h.Sum64())
	need := len(kept)
	for i := range n {
		// One of the n-i that are left is needed with probability need/(n-i).
		if int(random.Uint64()>>32*uint64(n-i)>>32) < need {
			kept[len(kept)-need] = int32(i)
			need--
		}
	}
}
