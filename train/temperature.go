package train

import (
	"math"

	"github.com/goclip/goclip/nn"
)

// temperature is the factor that makes logits of cosines, kept in bounds as CLIP
// keeps it.
type temperature struct {
	param *nn.Param // logit_scale, a logarithm
	limit float64   // of the factor, from 1
	fixed bool      // it is not trained, and so stays where it is
}

// clamp bounds the factor, and returns it and whether it is at its limit.
func (t temperature) clamp() (scale float64, limited bool) {
	p := t.param
	if !t.fixed {
		limit := float32(math.Log(t.limit))
		p.Data[0] = min(max(p.Data[0], 0), limit)
		limited = p.Data[0] == 0 || p.Data[0] == limit
	}
	return math.Exp(float64(p.Data[0])), limited
}
