package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// element is a function that treats every element alike.
type element struct {
	name  string
	ins   int
	alias int // the input that dst may be
	run   func(dst []float32, in [][]float32)
	want  func(in []float64) float64
	tol   func(in []float64, want float64) float64
}

var elements = func() []element {
	ulps := func(n float64) func([]float64, float64) float64 {
		return func(_ []float64, want float64) float64 { return n * ulp(want) }
	}
	es := []element{
		{"Exp", 1, 0, func(dst []float32, in [][]float32) { Exp(dst, in[0]) },
			func(in []float64) float64 { return math.Exp(in[0]) }, ulps(1)},
		{"Add", 2, 0, func(dst []float32, in [][]float32) { Add(dst, in[0], in[1]) },
			func(in []float64) float64 { return in[0] + in[1] }, ulps(0.5)},
		{"Add b", 2, 1, func(dst []float32, in [][]float32) { Add(dst, in[0], in[1]) },
			func(in []float64) float64 { return in[0] + in[1] }, ulps(0.5)},
		{"Mul", 2, 0, func(dst []float32, in [][]float32) { Mul(dst, in[0], in[1]) },
			func(in []float64) float64 { return in[0] * in[1] }, ulps(0.5)},
		{"Mul b", 2, 1, func(dst []float32, in [][]float32) { Mul(dst, in[0], in[1]) },
			func(in []float64) float64 { return in[0] * in[1] }, ulps(0.5)},
		{"Axpy", 2, 0, func(dst []float32, in [][]float32) { copy(dst, in[0]); Axpy(dst, 0.75, in[1]) },
			func(in []float64) float64 { return in[0] + 0.75*in[1] },
			func(in []float64, want float64) float64 { return ulp(want) + ulp(in[1]) }},
	}
	for act, name := range []string{GELU: "GELU", GELUTanh: "GELUTanh", QuickGELU: "QuickGELU", SiLU: "SiLU"} {
		act := Activation(act)
		// decay is how the error grows where GELUTanh decays.
		decay := func(x float64) float64 {
			if act != GELUTanh || x > 0 {
				return 0
			}
			return -1.6 * max(x, -11) * (1 + 0.044715*x*x)
		}
		es = append(es,
			element{name, 1, 0, func(dst []float32, in [][]float32) { Activate(act, dst, in[0]) },
				func(in []float64) float64 { y, _ := activation(act, in[0]); return y },
				func(in []float64, want float64) float64 { return 1e-42 + (7+2*decay(in[0]))*ulp(want) }},
			element{name + " backward", 2, 1, func(dst []float32, in [][]float32) { ActivateBackward(act, dst, in[0], in[1]) },
				func(in []float64) float64 { _, d := activation(act, in[0]); return in[1] * d },
				func(in []float64, want float64) float64 {
					_, d := activation(act, in[0])
					s := map[Activation]float64{
						GELU:      0.5 * math.Erfc(-in[0]/math.Sqrt2),
						GELUTanh:  sigmoid(1.5957691216 * in[0] * (1 + 0.044715*in[0]*in[0])),
						QuickGELU: sigmoid(1.702 * in[0]),
						SiLU:      sigmoid(in[0]),
					}[act]
					if math.IsNaN(s) {
						s = 0
					}
					return math.Abs(in[1])*(1e-42+0x1p-21*(math.Abs(d)+s)*(1+decay(in[0])/2)) + 1e-42
				}})
	}
	return es
}()

// ulp is one unit in the last place of a float32 at x.
func ulp(x float64) float64 {
	if x = math.Abs(x); x < 0x1p-126 {
		return 0x1p-149
	}
	_, e := math.Frexp(x)
	return math.Ldexp(1, e-24)
}

// check compares one result with float64.
func (e *element) check(t *testing.T, got float32, in ...float32) {
	t.Helper()
	var x []float64
	for _, v := range in {
		x = append(x, float64(v))
	}
	want := e.want(x)
	g := float64(got)
	if strings.HasSuffix(e.name, "backward") && math.Abs(e.want([]float64{x[0], 1})) < 1e-40 && (math.IsInf(x[1], 0) || x[1] == 0) {
		return // times a derivative that float32 may round to a 0 of either sign
	}
	switch w := float64(float32(want)); {
	case math.IsNaN(w):
		if !math.IsNaN(g) {
			t.Fatalf("%s(%v) = %v, want NaN", e.name, in, got)
		}
	case w == g:
		if w == 0 && want == 0 && math.Signbit(w) != math.Signbit(g) {
			t.Fatalf("%s(%v) = %v, want %v", e.name, in, got, want)
		}
	default:
		if diff := math.Abs(g - want); !(diff <= e.tol(x, want)) {
			t.Fatalf("%s(%v) = %v, want %v ± %v", e.name, in, got, want, e.tol(x, want))
		}
	}
}

var specials = []float32{
	float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)),
	math.Float32frombits(1), -math.Float32frombits(1), 0x1p-127, -0x1p-126, 1, -1, 0x1p-24, -0x1p-13, 88.7, 88.73, 89, -87.5, -103.9, -104, -105,
	11, -11, 11.1, -11.1, 14.2, -14.2, 15, -15, 15.5, -15.5, 70, -70, math.MaxFloat32, -math.MaxFloat32, math.Float32frombits(0x7f800001), math.Float32frombits(0xffc00003),
}

// TestElementSpecials: NaN, infinities, zeros, denormals and limits, in every
// combination of inputs.
func TestElementSpecials(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, e := range elements {
			in := make([][]float32, e.ins)
			for _, x := range specials {
				for _, y := range specials[:1+(e.ins-1)*(len(specials)-1)] {
					in[0] = append(in[0], x)
					if e.ins > 1 {
						in[1] = append(in[1], y)
					}
				}
			}
			dst := make([]float32, len(in[0]))
			e.run(dst, in)
			for i, got := range dst {
				x := in[0][i]
				if e.ins == 1 {
					e.check(t, got, x)
				} else {
					e.check(t, got, x, in[1][i])
				}
			}
		}
	})
}

// TestElementAccuracy goes through the whole range of float32.
func TestElementAccuracy(t *testing.T) {
	stride := uint32(3 << 16)
	if testing.Short() {
		stride <<= 4
	}
	eachISA(t, func(t *testing.T) {
		for _, e := range elements {
			in := make([][]float32, e.ins)
			for b := uint64(12345); b <= math.MaxUint32; b += uint64(stride) - b%7 {
				in[0] = append(in[0], math.Float32frombits(uint32(b)))
			}
			for x := -20.0; x < 20; x += 0.0037 {
				in[0] = append(in[0], float32(x))
			}
			if e.ins > 1 {
				in[1] = random(rand.New(rand.NewPCG(7, 8)), len(in[0]))
			}
			dst := make([]float32, len(in[0]))
			e.run(dst, in)
			for i, got := range dst {
				if e.ins == 1 {
					e.check(t, got, in[0][i])
				} else {
					e.check(t, got, in[0][i], in[1][i])
				}
			}
		}
	})
}

// TestElementPosition: an element's result does not depend on where it lies, on
// how many lie beside it, on alignment or on aliasing; nothing else is touched.
func TestElementPosition(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for _, e := range elements {
			for n := range 131 {
				in, fences := make([][]float32, e.ins), make([]*fence, e.ins)
				for i := range in {
					x := random(r, n)
					for j := range x {
						x[j] *= 8
					}
					fences[i] = fenced(x, r.IntN(16))
					in[i] = fences[i].x
				}
				want := make([]float32, n)
				for i := range n {
					one := make([][]float32, e.ins)
					for j := range one {
						one[j] = in[j][i : i+1]
					}
					e.run(want[i:i+1], one)
				}
				name := fmt.Sprintf("%s of %d", e.name, n)
				dst := fenced(make([]float32, n), r.IntN(16))
				e.run(dst.x, in)
				dst.check(t, name)
				sameBits(t, name, dst.x, want)
				e.run(in[e.alias], in)
				sameBits(t, name+" in place", in[e.alias], want)
				for _, f := range fences {
					f.check(t, name+" in place")
				}
			}
			n := 3*chunk + 77
			in := make([][]float32, e.ins)
			for i := range in {
				in[i] = random(r, n)
			}
			dst, want := make([]float32, n), make([]float32, n)
			e.run(dst, in)
			for i := 0; i < n; i += 5000 {
				part := make([][]float32, e.ins)
				for k := range part {
					part[k] = in[k][i:min(n, i+5000)]
				}
				e.run(want[i:min(n, i+5000)], part)
			}
			sameBits(t, e.name+" in chunks", dst, want)
		}
	})
}

func FuzzElement(f *testing.F) {
	for _, x := range specials {
		f.Add(math.Float32bits(x), uint32(0x3f800000), uint8(0))
	}
	f.Fuzz(func(t *testing.T, x, y uint32, which uint8) {
		e := elements[int(which)%len(elements)]
		in := [][]float32{{math.Float32frombits(x)}, {math.Float32frombits(y)}}[:e.ins]
		for _, i := range available {
			restore, _ := ForceISA(i.String())
			var dst [1]float32
			e.run(dst[:], in)
			restore()
			args := []float32{in[0][0]}
			if e.ins > 1 {
				args = append(args, in[1][0])
			}
			e.check(t, dst[0], args...)
		}
	})
}
