package kernel

// Ask asks memory for rows of n numbers of x, from number at on and ld apart, so that they are in the core's
// second-level cache when they are read soon. What lies beyond x is left out. It changes nothing.
func Ask(x []float32, at, ld, rows, n int) {
	if at < 0 || ld < 0 || n < 1 || at > len(x)-n {
		return
	}
	if ld > 0 {
		rows = min(rows, (len(x)-at-n)/ld+1)
	}
	if rows > 0 {
		ask(&x[at], ld, rows, n)
	}
}
