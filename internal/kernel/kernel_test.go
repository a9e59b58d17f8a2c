package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// eachISA runs a test on every instruction set of this build and machine.
func eachISA(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, i := range available {
		t.Run(i.String(), func(t *testing.T) {
			restore, err := ForceISA(i.String())
			if err != nil {
				t.Fatal(err)
			}
			defer restore()
			f(t)
		})
	}
}

// fence is a slice between guards that no kernel may touch.
type fence struct {
	all []float32
	x   []float32
}

const guard = 19 // odd, and longer than a vector

var canary = math.Float32frombits(0x7fa5a5a5) // a NaN: whatever reads it shows

// fenced returns a copy of x, offset floats off a cache line, between guards.
func fenced(x []float32, offset int) *fence {
	all := aligned(offset + len(x) + 2*guard)[:]
	for i := range all {
		all[i] = canary
	}
	at := guard + offset
	copy(all[at:], x)
	return &fence{all, all[at : at+len(x) : at+len(x)]}
}

// check fails the test where a guard was written to.
func (f *fence) check(t *testing.T, name string) {
	t.Helper()
	at := (len(f.all) - len(f.x)) - guard
	for i, v := range f.all {
		if (i < at || i >= at+len(f.x)) && math.Float32bits(v) != math.Float32bits(canary) {
			t.Fatalf("%s: wrote %v at %d of %d elements", name, v, i-at, len(f.x))
		}
	}
}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
	return x
}

// sameBits fails the test where got and want differ. All NaN are alike.
func sameBits(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", name, len(got), len(want))
	}
	for i, v := range got {
		w := want[i]
		if math.Float32bits(v) != math.Float32bits(w) && !(v != v && w != w) {
			t.Fatalf("%s: element %d of %d: got %v (%#x), want %v (%#x)", name, i, len(got), v, math.Float32bits(v), w, math.Float32bits(w))
		}
	}
}

// fma is a·b + c in one rounding. The float64 sum is rounded to odd, so that
// rounding it once more to float32 is right.
func fma(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	s := p + z
	t := s - p
	if e := (p - (s - t)) + (z - t); e != 0 && !math.IsInf(s, 0) && math.Float64bits(s)&1 == 0 {
		if (e > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

const eps32 = 1.0 / (1 << 24)

// near fails the test unless |got - want| ≤ tol.
func near(t *testing.T, name string, i int, got float32, want, tol float64) {
	t.Helper()
	if diff := math.Abs(float64(got) - want); !(diff <= tol) {
		t.Fatalf("%s: element %d: got %v, want %v ± %v", name, i, got, want, tol)
	}
}

// lengths are 0 … 130.
func lengths() (ns []int) {
	for n := range 131 {
		ns = append(ns, n)
	}
	return ns
}
