package kernel

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"
)

// TestAssemblyBits: AVX2, AVX-512 and NEON give the same bits, whatever is
// computed. The number is theirs; it changes when an order of operations does.
func TestAssemblyBits(t *testing.T) {
	const want uint64 = 0x6eb68da2f8f11878
	for _, i := range available[1:] {
		restore, err := ForceISA(i.String())
		if err != nil {
			t.Fatal(err)
		}
		if got := hashOfResults(); got != want {
			t.Errorf("%v: results hash to %#x, want %#x", i, got, want)
		}
		restore()
	}
}

func hashOfResults() uint64 {
	h := fnv.New64a()
	add := func(x []float32) {
		for _, v := range x {
			b := math.Float32bits(v)
			if v != v {
				b = 0x7fc00000 // NaN differ in sign and payload
			}
			h.Write(binary.LittleEndian.AppendUint32(nil, b))
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	const n = 20011
	x, y, dst := random(r, n), random(r, n), make([]float32, n)
	for i := range x {
		x[i] *= 32
	}
	copy(x, specials)
	copy(y[len(specials)/2:], specials)
	for _, e := range elements {
		e.run(dst, [][]float32{x, y}[:e.ins])
		add(dst)
	}
	x, y = x[1000:], y[1000:]
	for k := range 200 {
		Softmax(dst[:k], x[:k])
		add(dst[:k])
		SoftmaxBackward(dst[:k], dst[:k], y[:k], 0.125)
		add(dst[:k])
		add([]float32{Dot(x[:k], y[:k])})
	}
	for _, cols := range []int{1, 7, 50, 129, 768} {
		c := newNorm(r, 70, cols)
		c.run()
		for _, x := range [][]float32{c.y, c.dx, c.dg, c.db, c.mean, c.rstd} {
			add(x)
		}
		ColSum(c.dg, c.x, c.rows, c.cols)
		add(c.dg)
	}
	p, g, m, v := random(r, 999), random(r, 999), random(r, 999), make([]float32, 999)
	AdamW(p, g, m, v, AdamWStep{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, LR: 1e-3, WeightDecay: 0.3, Correction1: 0.1, Correction2: 0.05, GradScale: 0.7})
	for _, x := range [][]float32{p, m, v} {
		add(x)
	}
	for l := NN; l <= TN; l++ {
		x := randomMatrices(r, l, 61, 131, 700, 3)
		GemmSerial(l, x.m, x.n, x.k, 0.3, x.a, x.lda, x.b, x.ldb, 1, x.c, x.ldc)
		add(x.c)
	}
	return h.Sum64()
}
