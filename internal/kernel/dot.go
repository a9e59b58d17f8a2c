package kernel

// Dot returns Σ a·b: 32 partial sums, joined after every 16,384 elements in
// float64.
func Dot(a, b []float32) float32 {
	checkLen("b", b, len(a))
	var sum float64
	pieces(len(a), func(i, j int) { sum += float64(isa.dot(a[i:j], b[i:j])) })
	return float32(sum)
}

func dotGo(a, b []float32) float32 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return float32(sum)
}

// DotWide returns Σ a·b in float64 throughout.
func DotWide(a, b []float32) (sum float64) {
	checkLen("b", b, len(a))
	pieces(len(a), func(i, j int) { sum += isa.dotWide(a[i:j], b[i:j]) })
	return sum
}

func dotWideGo(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// SumSquares returns Σ x², in float64 throughout, in an order that depends on
// len(x) alone.
func SumSquares(x []float32) float64 {
	parts := make([]float64, blocks(len(x), chunk))
	chunks(len(x), func(i, j int) { parts[i/chunk] = isa.sumSquares(x[i:j]) })
	var sum float64
	for _, p := range parts {
		sum += p
	}
	return sum
}

func sumSquaresGo(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}
