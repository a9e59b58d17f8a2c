// Package dice is a random number generator whose numbers never change between
// versions. The synthetic set, the order of an epoch and all other random
// choices about data come from it.
package dice

import "math/rand/v2"

// Dice draws numbers from a PCG. The generator's output is fixed by the Go
// documentation; what rand.Rand makes of it may change, and a drawn set or an
// epoch's order must not. So the few derived draws are made here, from integers.
type Dice struct{ pcg rand.PCG }

// Use is what numbers are drawn for. Separate uses of one seed draw from separate
// sequences. The values never change.
type Use uint64

// The uses.
const (
	Noise Use = iota
	Train
	Known
	Unseen
	Order
	Buffer
	Caption
	Augment
	Four
	Couples
	Centres
)

// New is the generator for one use, and one sample or epoch of it.
func New(seed uint64, use Use, n uint64) Dice {
	var d Dice
	d.pcg.Seed(Mix(seed+Mix(uint64(use))), Mix(n^uint64(use)<<56))
	return d
}

// Mix is the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): nearby
// seeds become unrelated ones.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Uint64 draws 64 bits, so that Dice is a rand.Source.
func (d *Dice) Uint64() uint64 { return d.pcg.Uint64() }

// Below draws from 0 … n-1, for n up to 2³².
func (d *Dice) Below(n int) int {
	return int((d.pcg.Uint64() >> 32) * uint64(n) >> 32)
}

// Between draws from a … b, both included.
func (d *Dice) Between(a, b int) int { return a + d.Below(b-a+1) }

// Chance is true num times in den.
func (d *Dice) Chance(num, den int) bool { return d.Below(den) < num }

// Unit draws a multiple of 2⁻³² from [0, 1).
func (d *Dice) Unit() float64 { return float64(d.pcg.Uint64()>>32) / (1 << 32) }

// Span draws from [a, b). The conversion keeps the product from being fused,
// which would round differently from one architecture to the next.
func (d *Dice) Span(a, b float64) float64 { return a + float64((b-a)*d.Unit()) }

// Permutation is the order of n things (Fisher and Yates).
func (d *Dice) Permutation(n int) []uint32 {
	perm := make([]uint32, n)
	for i := range perm {
		j := d.Below(i + 1)
		perm[i] = perm[j]
		perm[j] = uint32(i)
	}
	return perm
}
