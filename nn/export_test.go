package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// LinearOf, PatchEmbedOf and LayerNormOf are the layers' ops on any nodes.
func LinearOf(x, w, b *G.Node) *G.Node {
	if b == nil {
		return project("linear", kernel.NT, nil, x, w)
	}
	return Project(x, w, b)
}

func PatchEmbedOf(in ...*G.Node) *G.Node { return patchEmbed(nil, in...) }

func LayerNormOf(x, gamma, beta *G.Node, eps float64) *G.Node { return layerNorm(x, gamma, beta, eps) }

// LayerScaleOf is the layer's op on any nodes.
func LayerScaleOf(x, gamma *G.Node) *G.Node { return layerScale(x, gamma) }

// FoldedBranch is a branch of [BranchedConvOf].
type FoldedBranch struct {
	Weight, Gamma, Beta, Mean, Variance *G.Node
	Minus                               bool
}

// BranchedConvOf is the layer's ops on any nodes, with ε = 1e-5.
func BranchedConvOf(x *G.Node, shape []int, groups, stride int, residual bool, scale *G.Node, branches ...FoldedBranch) *G.Node {
	f := &fold{shape: shape, residual: residual, scale: scale}
	for _, b := range branches {
		n := &foldBranch{b.Weight, b.Gamma, b.Beta, b.Mean, b.Variance, 1e-5, 1}
		if b.Minus {
			n.sign = -1
		}
		f.branches = append(f.branches, n)
	}
	return f.convolve(x, groups, stride, shape[2]/2)
}

// LowRankOf is the update of LoRA on any nodes.
func LowRankOf(x, a, b *G.Node, scale float32) *G.Node { return lowRank(x, a, b, scale) }

// Buffers is the number of buffers that the arena has made.
func (m *Machine) Buffers() int {
	n := len(m.arena.free)
	for _, l := range m.arena.loans {
		if l.buf != nil {
			n++
		}
	}
	return n
}

// Bytes is the memory of the arena's buffers and of outputs that are not lent.
func (m *Machine) Bytes() int64 {
	var n int
	for _, b := range m.arena.free {
		n += cap(b)
	}
	for _, l := range m.arena.loans {
		n += cap(l.buf)
	}
	for _, node := range m.graph.AllNodes() {
		if o, ok := node.Op().(*opNode); ok {
			n += cap(o.out.data)
		}
	}
	return 4 * int64(n)
}

// RMSNormOf is the layer's op on any nodes.
func RMSNormOf(x, gamma *G.Node, eps float64) *G.Node { return rmsNorm(x, gamma, eps) }

// Bucket is the row of a distance.
func Bucket(distance, n, furthest int) int { return bucket(distance, n, furthest) }

// Followed is how many ops are done in place with the one that they follow.
func (m *Machine) Followed() int {
	n := 0
	for _, node := range m.graph.AllNodes() {
		if o, ok := node.Op().(*opNode); ok && o.followed {
			n++
		}
	}
	return n
}

// PickedQueries and PickedAttention are the ops of a block's picked tokens, those at the positions.
func PickedQueries(x, w, b, at *G.Node) *G.Node { return projectPicked(x, w, b, chosenAt(at)) }

func PickedAttention(qkv *G.Node, heads int, causal bool, at *G.Node) *G.Node {
	return attendPicked(qkv, heads, causal, chosenAt(at))
}

func chosenAt(at *G.Node) *choice {
	return &choice{func(in Inputs, i int) int { return int(in.I32(0)[i]) }, G.Nodes{at}}
}
