package train

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"

	"github.com/goclip/goclip/vision"
)

// keptPatches is how many patches of a picture remain, at least one.
func (t *Trainer) keptPatches() int {
	return max(1, int(float64(t.patches())*(1-t.cfg.PatchDropout)))
}

func (t *Trainer) patches() int {
	if d, ok := t.model.Vision().(vision.PatchDropper); ok {
		return d.Patches()
	}
	return 0
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
