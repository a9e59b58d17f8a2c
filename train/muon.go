package train

import (
	"math"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/kernel"
)

// Optimizer is how weights are updated from their gradients. Its text is "adamw" or "muon".
type Optimizer uint8

// How weights are updated.
const (
	// OptimizerAdamW is [AdamW] for all weights.
	OptimizerAdamW Optimizer = iota
	// OptimizerMuon is Muon (Jordan et al., 2024) for the matrices that activations are multiplied
	// with ([nn.Param.Multiplies]) and AdamW for all others: embeddings, norms, biases, logit_scale. The update of a matrix, its momentum,
	// is made nearly orthogonal, and as large as AdamW's usually are, so that both have one learning
	// rate (Liu et al., 2025, Muon is Scalable for LLM Training). As torch.optim.Muon
	// with adjust_lr_fn "match_rms_adamw", in float32 where that has bfloat16.
	OptimizerMuon
)

func optimizerNames() map[Optimizer]string {
	return map[Optimizer]string{OptimizerAdamW: "adamw", OptimizerMuon: "muon"}
}

func (o Optimizer) String() string { return enum.String(o, optimizerNames()) }

// MarshalText returns the name; an invalid Optimizer is an error.
func (o Optimizer) MarshalText() ([]byte, error) { return enum.Marshal(o, optimizerNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (o *Optimizer) UnmarshalText(text []byte) error {
	return enum.Unmarshal(o, text, optimizerNames())
}

// muon is whether Muon updates a weight.
func (c *Config) muon(w *weight) bool { return c.Optimizer == OptimizerMuon && w.param.Multiplies() }

// momentum is what Muon keeps of a matrix, in m.
func momentum(n, rows int) moment { return moment{m: make([]float32, n), rows: rows} }

// orthogonal is a step of Muon for the matrix w, of x.rows rows.
func (x *moment) orthogonal(w, g []float32, s kernel.AdamWStep, momentum float32) {
	cols := len(w) / x.rows
	update, spare := make([]float32, len(w)), make([]float32, len(w))
	for i, d := range g { // Nesterov's momentum
		d *= s.GradScale
		x.m[i] += (1 - momentum) * (d - x.m[i])
		update[i] = d + momentum*(x.m[i]-d)
	}
	update = orthogonalise(update, spare, x.rows, cols)
	keep := 1 - s.LR*s.WeightDecay
	rate := s.LR * 0.2 * float32(math.Sqrt(float64(max(x.rows, cols))))
	for i, d := range update {
		w[i] = w[i]*keep - rate*d
	}
}

// Newton–Schulz: X ← aX + b(XXᵀ)X + c(XXᵀ)²X brings the singular values of X, at most 1, to
// about 1, 0.7 to 1.2, in five steps (Jordan's coefficients).
const (
	newtonA, newtonB, newtonC = 3.4445, -4.7750, 2.0315
	newtonSteps               = 5
)

// orthogonalise returns the matrix x, (rows, cols), divided by its norm and iterated, in x's
// memory or in spare's. Zeros stay zeros.
func orthogonalise(x, spare []float32, rows, cols int) []float32 {
	scale := float32(1 / (math.Sqrt(kernel.SumSquares(x)) + 1e-7))
	for i := range x {
		x[i] *= scale
	}
	n := min(rows, cols)
	gram, inner := make([]float32, n*n), make([]float32, n*n)
	for range newtonSteps {
		if rows <= cols {
			kernel.Gemm(kernel.NT, n, n, cols, 1, x, cols, x, cols, 0, gram, n) // XXᵀ
		} else {
			kernel.Gemm(kernel.TN, n, n, rows, 1, x, cols, x, cols, 0, gram, n) // XᵀX, with which X is multiplied from the right
		}
		copy(inner, gram)
		for i := range n {
			inner[i*n+i] += newtonA / newtonB
		}
		kernel.Gemm(kernel.NN, n, n, n, newtonC/newtonB, gram, n, gram, n, 1, inner, n) // a/b + G + c/b G²
		if rows <= cols {
			kernel.Gemm(kernel.NN, rows, cols, n, newtonB, inner, n, x, cols, 0, spare, cols)
		} else {
			kernel.Gemm(kernel.NN, rows, cols, n, newtonB, x, cols, inner, n, 0, spare, cols)
		}
		x, spare = spare, x
	}
	return x
}
