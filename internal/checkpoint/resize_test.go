package checkpoint

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestResizeLikePyTorch compares with interpolate, as testdata/resize.py calls
// it. Values are below 2, sums have up to 14 terms a direction and PyTorch's use
// fused multiply-adds: 2e-6 is 16 units in the last place of 1.
func TestResizeLikePyTorch(t *testing.T) {
	const width, tol = 3, 2e-6
	text, err := os.ReadFile("testdata/resize.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		From, To []int
		Want     []float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 13 {
		t.Errorf("got %d cases, want 13", len(cases))
	}
	for _, c := range cases {
		n := width
		for _, d := range c.From {
			n *= d
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(i*7919%257-128) / 128
		}
		var got []float32
		if len(c.From) == 2 {
			got = resizeGrid(x, [2]int(c.From), [2]int(c.To), width)
		} else {
			got = resizeLine(x, c.From[0], c.To[0], width)
		}
		if len(got) != len(c.Want) {
			t.Errorf("%v to %v: got %d numbers, want %d", c.From, c.To, len(got), len(c.Want))
			continue
		}
		for i, v := range got {
			if d := math.Abs(float64(v) - c.Want[i]); !(d <= tol) {
				t.Errorf("%v to %v: element %d: got %v, want %v, tolerance %g", c.From, c.To, i, v, c.Want[i], tol)
				break
			}
		}
	}
}

// TestResizeKeepsConstants: the weights of every output add up to one.
func TestResizeKeepsConstants(t *testing.T) {
	for from := 1; from < 20; from++ {
		for to := 1; to < 20; to++ {
			x := make([]float32, from*from)
			for i := range x {
				x[i] = 1
			}
			for i, v := range append(resizeGrid(x, [2]int{from, from}, [2]int{to, from}, 1), resizeLine(x[:from], from, to, 1)...) {
				if d := math.Abs(float64(v) - 1); !(d <= 1e-6) {
					t.Fatalf("%d to %d: element %d is %v, want 1", from, to, i, v)
				}
			}
		}
	}
}

// TestStretchLine: Long-CLIP's 248 positions of 77, by its own words: the first 20 stay, three
// new ones stand between each two others, and the last go on in quarters.
func TestStretchLine(t *testing.T) {
	const kept, from, to, width = 20, 77, 248, 3
	x := make([]float32, from*width)
	for i := range x {
		x[i] = float32(math.Sin(float64(i) * 1.7))
	}
	y := stretchLine(x, kept, from, to, width)
	for i := range to {
		for k := range width {
			want := float64(0)
			switch q, r := (i-kept)/4, float64((i-kept)%4)/4; {
			case i < kept:
				want = float64(x[i*width+k])
			case kept+q < from-1:
				want = (1-r)*float64(x[(kept+q)*width+k]) + r*float64(x[(kept+q+1)*width+k])
			default:
				want = float64(x[(from-1)*width+k]) + r*float64(x[(from-1)*width+k]-x[(from-2)*width+k])
			}
			if got := float64(y[i*width+k]); !(math.Abs(got-want) <= 1e-6) {
				t.Fatalf("position %d: got %g, want %g", i, got, want)
			}
		}
	}
}
