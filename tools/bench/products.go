package main

import "fmt"

// productRows are those of the towers, of the toy's training step and of examples/train's:
// C (m×n) of k terms, named LAYOUT/m×n×k.
func productRows() (rows []row) {
	seen := map[string]bool{}
	add := func(layout string, m, n, k int) {
		if name := fmt.Sprintf("%s/%dx%dx%d", layout, m, n, k); !seen[name] {
			seen[name] = true
			rows = append(rows, row{name: name, wanted: 1})
		}
	}
	for _, t := range []struct {
		batches []int // rows of the batches that are encoded
		step    int   // and of one that is trained on, 0 where none is
		width   int
	}{
		{[]int{50, 400, 1600}, 1600, 768}, // ViT-B/32, 50 tokens
		{[]int{257, 2056}, 0, 1024},       // ViT-L/14, 257
		{[]int{77, 616, 2464}, 0, 512},    // texts, 77
		{[]int{8320}, 8320, 192},          // the toy, 65
		{nil, 2176, 64},                   // examples/train, 17
	} {
		for _, l := range [][2]int{{3, 1}, {1, 1}, {4, 1}, {1, 4}} {
			out, in := l[0]*t.width, l[1]*t.width
			for _, m := range t.batches {
				add("packed", m, out, in)
			}
			if t.step > 0 {
				add("NT", t.step, out, in)
				add("NN", t.step, out, in)
				add("NN", t.step, in, out)
				add("TN", out, in, t.step)
				add("TN", in, out, t.step)
			}
		}
	}
	return rows
}
