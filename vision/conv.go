package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// conv is a dense convolution with a bias, of channels that come last.
type conv struct {
	weight, bias *nn.Param // (N, C, k, k) and (N)
	stride, pad  int
}

func newConv(name string, in, out, size, stride, pad int) *conv {
	limit := 1 / math.Sqrt(float64(in*size*size))
	return &conv{nn.NewParam(name+".weight", out, in, size, size).Uniform(limit), nn.NewParam(name+".bias", out), stride, pad}
}

// forward maps (B, H, W, C) to (B, H', W', N).
func (c *conv) forward(x *G.Node) *G.Node {
	return (&nn.Conv{Weight: c.weight, Bias: c.bias, Stride: c.stride, Pad: c.pad}).Forward(x)
}

func (c *conv) params() []*nn.Param { return []*nn.Param{c.weight, c.bias} }

// head is the projection that open_clip puts after a timm tower: a matrix, or
// an MLP.
type head struct{ fc1, fc2 *nn.Linear } // fc1 is nil for a matrix

func newHead(kind Head, in, out int) *head {
	linear := func(name string, in, out int) *nn.Linear {
		l := nn.NewLinear("visual.head."+name, in, out)
		l.Weight.Normal(1 / math.Sqrt(float64(in)))
		return l
	}
	h := &head{}
	if kind == HeadMLP {
		h.fc1 = linear("mlp.fc1", in, 2*out)
		h.fc2 = linear("mlp.fc2", 2*out, out)
	} else {
		h.fc2 = linear("proj", in, out)
	}
	h.fc2.Bias = nil
	return h
}

// forward maps (B, W) to (B, D).
func (h *head) forward(x *G.Node) *G.Node {
	if h.fc1 != nil {
		x = nn.Activate(nn.GELU, h.fc1.Forward(x))
	}
	return h.fc2.Forward(x)
}

func (h *head) params() []*nn.Param {
	if h.fc1 == nil {
		return h.fc2.Params()
	}
	return append(h.fc1.Params(), h.fc2.Params()...)
}
