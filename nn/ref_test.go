package nn_test

import "math"

// The layers once more, in float64 and as slowly as their definitions read. The
// tests compare values with these and gradients with their central differences.

func refLinear(x, w, b []float64, in, out int) []float64 {
	rows := len(x) / in
	y := make([]float64, rows*out)
	for r := range rows {
		for o := range out {
			var s float64
			for i := range in {
				s += x[r*in+i] * w[o*in+i]
			}
			if b != nil {
				s += b[o]
			}
			y[r*out+o] = s
		}
	}
	return y
}

func transpose(w []float64, rows, cols int) []float64 {
	t := make([]float64, len(w))
	for r := range rows {
		for c := range cols {
			t[c*rows+r] = w[r*cols+c]
		}
	}
	return t
}

func refLayerNorm(x, gamma, beta []float64, eps float64) []float64 {
	w := len(gamma)
	y := make([]float64, len(x))
	for r := 0; r < len(x); r += w {
		var mean, variance float64
		for _, v := range x[r : r+w] {
			mean += v / float64(w)
		}
		for _, v := range x[r : r+w] {
			variance += (v - mean) * (v - mean) / float64(w)
		}
		for j := range w {
			y[r+j] = (x[r+j]-mean)/math.Sqrt(variance+eps)*gamma[j] + beta[j]
		}
	}
	return y
}

func refNormalize(x []float64, d int) []float64 {
	y := make([]float64, len(x))
	for r := 0; r < len(x); r += d {
		var s float64
		for _, v := range x[r : r+d] {
			s += v * v
		}
		for j := range d {
			y[r+j] = x[r+j] / math.Max(math.Sqrt(s), 1e-12)
		}
	}
	return y
}

func each(x []float64, f func(float64) float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

func refGELU(v float64) float64 { return v * 0.5 * (1 + math.Erf(v/math.Sqrt2)) }
func refGELUTanh(v float64) float64 {
	return v * 0.5 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
}
func refQuickGELU(v float64) float64 { return v / (1 + math.Exp(-1.702*v)) }

// refAttention takes seen(b, i, j): does query i of sample b see key j?
func refAttention(qkv []float64, b, l, w, heads int, seen func(b, i, j int) bool) []float64 {
	d := w / heads
	y := make([]float64, b*l*w)
	for n := range b {
		for h := range heads {
			at := func(part, i, j int) float64 { return qkv[(n*l+i)*3*w+part*w+h*d+j] }
			for i := range l {
				p, sum := make([]float64, l), 0.0
				for j := range l {
					if !seen(n, i, j) {
						continue
					}
					var s float64
					for e := range d {
						s += at(0, i, e) * at(1, j, e)
					}
					p[j] = math.Exp(s / math.Sqrt(float64(d)))
					sum += p[j]
				}
				for e := range d {
					for j := range l {
						y[(n*l+i)*w+h*d+e] += p[j] / sum * at(2, j, e)
					}
				}
			}
		}
	}
	return y
}

func refPatchEmbed(x, weight []float64, b, c, h, w, size, width int) []float64 {
	var y []float64
	for n := range b {
		for top := 0; top+size <= h; top += size {
			for left := 0; left+size <= w; left += size {
				for o := range width {
					var s float64
					for ch := range c {
						for i := range size {
							for j := range size {
								s += x[((n*c+ch)*h+top+i)*w+left+j] * weight[((o*c+ch)*size+i)*size+j]
							}
						}
					}
					y = append(y, s)
				}
			}
		}
	}
	return y
}

func plus(a, b []float64) []float64 {
	y := make([]float64, len(a))
	for i := range y {
		y[i] = a[i] + b[i]
	}
	return y
}
