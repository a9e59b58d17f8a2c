package dataset

import "math/rand/v2"

// dice draws numbers from a PCG. The generator's output is fixed by the Go
// documentation; what rand.Rand makes of it may change, and a drawn set or an
// epoch's order must not. So the few derived draws are made here, from integers.
type dice struct{ pcg rand.PCG }

// Separate uses of one seed draw from separate sequences.
const (
	saltTrain uint64 = iota + 1
	saltKnown
	saltUnseen
	saltOrder
	saltBuffer
	saltCaption
	saltAugment
	saltFour
	saltCouples
)

// newDice is the generator for one purpose, and one sample or epoch of it.
func newDice(seed, salt, n uint64) dice {
	var d dice
	d.pcg.Seed(mix(seed+mix(salt)), mix(n^salt<<56))
	return d
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): nearby
// seeds become unrelated ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below draws from 0 … n-1, for n up to 2³².
func (d *dice) below(n int) int {
	return int((d.pcg.Uint64() >> 32) * uint64(n) >> 32)
}

// between draws from a … b, both included.
func (d *dice) between(a, b int) int { return a + d.below(b-a+1) }

// chance is true num times in den.
func (d *dice) chance(num, den int) bool { return d.below(den) < num }

// unit draws a multiple of 2⁻³² from [0, 1).
func (d *dice) unit() float64 { return float64(d.pcg.Uint64()>>32) / (1 << 32) }

// span draws from [a, b). The conversion keeps the product from being fused,
// which would round differently from one architecture to the next.
func (d *dice) span(a, b float64) float64 { return a + float64((b-a)*d.unit()) }

// permutation is the order of an epoch over n samples (Fisher and Yates).
func permutation(n int, seed uint64, epoch int) []uint32 {
	d := newDice(seed, saltOrder, uint64(epoch))
	perm := make([]uint32, n)
	for i := range perm {
		j := d.below(i + 1)
		perm[i] = perm[j]
		perm[j] = uint32(i)
	}
	return perm
}
