package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestWiden: every instruction set gives the floats of all halves, but for the payload of a
// NaN, and writes no others.
func TestWiden(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		var all []uint16
		for h := range 1 << 16 {
			all = append(all, uint16(h))
		}
		for name, f := range map[string][2]func([]float32, []uint16){
			"float16": {isa.widenFloat16, widenFloat16Go}, "bfloat16": {isa.widenBFloat16, widenBFloat16Go},
		} {
			for _, part := range [][]uint16{all, all[:0], all[1:2], all[15000:15007], all[3:20], all[31739:31755]} {
				got, want := fenced(make([]float32, len(part)), 3), make([]float32, len(part))
				f[0](got.x, part)
				f[1](want, part)
				got.check(t, name)
				for i, v := range want {
					if math.Float32bits(v) != math.Float32bits(got.x[i]) && (v == v || got.x[i] == got.x[i]) {
						t.Fatalf("%s %#x is %v, want %v", name, part[i], got.x[i], v)
					}
				}
			}
		}
	})
}

// TestPackHalves: products with halves have the bits of those with the same numbers as
// floats, whatever comes of a block next, and give the halves again.
func TestPackHalves(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, f := range []Half{Float16, BFloat16} {
			widen := map[Half]func([]float32, []uint16){Float16: widenFloat16Go, BFloat16: widenBFloat16Go}[f]
			for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {50, 33, 300}, {2, 200, 513}, {400, 193, 65}, {64, 16, 256}} {
				m, n, k := s[0], s[1], s[2]
				halves := make([]uint16, n*(k+2))
				for i := range halves {
					halves[i] = uint16(r.IntN(0x3c00)) | uint16(r.IntN(2))<<15 // below 1, of a bfloat16 below 2⁻⁷
				}
				floats := make([]float32, len(halves))
				widen(floats, halves)
				a, bias := random(r, m*k), random(r, n)
				p := PackHalves(f, n, k, halves, k+2)
				got, want := fenced(make([]float32, m*n), 1), make([]float32, m*n)
				GemmPacked(m, 1, a, k, p, bias, 0, got.x, n)
				GemmPacked(m, 1, a, k, Pack(NT, n, k, floats, k+2), bias, 0, want, n)
				name := fmt.Sprintf("format %d, %d×%d×%d", f, m, n, k)
				got.check(t, name)
				sameBits(t, name, got.x, want)
				for i, row := 0, p.Unpack(); i < n; i++ {
					sameBits(t, name+", unpacked", row[i*k:][:k], floats[i*(k+2):][:k])
				}
			}
		}
	})
}
