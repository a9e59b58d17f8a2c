package nn_test

import "math"

// refConv2D convolves x (b, h, w, c) with weight (n, c, k, k).
func refConv2D(x, weight []float64, b, h, w, c, n, k, stride, pad int) []float64 {
	var y []float64
	for i := range b {
		for top := -pad; top+k <= h+pad; top += stride {
			for left := -pad; left+k <= w+pad; left += stride {
				for o := range n {
					var s float64
					for ch := range c {
						for j := range k * k {
							r, q := top+j/k, left+j%k
							if r >= 0 && r < h && q >= 0 && q < w {
								s += x[((i*h+r)*w+q)*c+ch] * weight[(o*c+ch)*k*k+j]
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

func refAvgPool2D(x []float64, b, h, w, c, size int) []float64 {
	var y []float64
	for i := range b {
		for top := 0; top+size <= h; top += size {
			for left := 0; left+size <= w; left += size {
				for ch := range c {
					var s float64
					for j := range size * size {
						s += x[((i*h+top+j/size)*w+left+j%size)*c+ch]
					}
					y = append(y, s/float64(size*size))
				}
			}
		}
	}
	return y
}

// refAttentionPool takes q (b, w) or (1, w).
func refAttentionPool(q, k, v []float64, b, l, w, heads int) []float64 {
	d, y := w/heads, make([]float64, b*w)
	for i := range b {
		for h := range heads {
			p, sum := make([]float64, l), 0.0
			for t := range l {
				var s float64
				for e := h * d; e < (h+1)*d; e++ {
					s += q[i*w%len(q)+e] * k[(i*l+t)*w+e]
				}
				p[t] = math.Exp(s / math.Sqrt(float64(d)))
				sum += p[t]
			}
			for t := range l {
				for e := h * d; e < (h+1)*d; e++ {
					y[i*w+e] += p[t] / sum * v[(i*l+t)*w+e]
				}
			}
		}
	}
	return y
}

func refChannelsLast(x []float64, b, c, area int) []float64 {
	var y []float64
	for i := range b {
		y = append(y, transpose(x[i*c*area:][:c*area], c, area)...)
	}
	return y
}

func refBatchNorm(x, gamma, beta, mean, variance []float64, eps float64) []float64 {
	y, c := make([]float64, len(x)), len(gamma)
	for i, v := range x {
		j := i % c
		y[i] = (v-mean[j])/math.Sqrt(variance[j]+eps)*gamma[j] + beta[j]
	}
	return y
}

// refAvgPoolWithin divides by how many pixels of a square are in the image.
func refAvgPoolWithin(x []float64, b, h, w, c, size, stride, pad int) []float64 {
	oh, ow := (h+2*pad-size)/stride+1, (w+2*pad-size)/stride+1
	y := make([]float64, b*oh*ow*c)
	for i := range y {
		ch, col, row, sample := i%c, i/c%ow, i/(c*ow)%oh, i/(c*ow*oh)
		n := 0.0
		for t := range size * size {
			r, q := row*stride-pad+t/size, col*stride-pad+t%size
			if r >= 0 && r < h && q >= 0 && q < w {
				y[i] += x[((sample*h+r)*w+q)*c+ch]
				n++
			}
		}
		y[i] /= n
	}
	return y
}
