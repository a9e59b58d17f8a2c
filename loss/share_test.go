package loss

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// meeting is where processes of a test gather.
type meeting struct {
	mu     sync.Mutex
	turn   *sync.Cond
	values [][]float64
	came   int
	round  int
}

func newMeeting(n int) *meeting {
	m := &meeting{values: make([][]float64, n)}
	m.turn = sync.NewCond(&m.mu)
	return m
}

func (m *meeting) gather(rank int, values []float64, cuts []int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := func() {
		round := m.round
		if m.came++; m.came == len(m.values) {
			m.came, m.round = 0, m.round+1
			m.turn.Broadcast()
		}
		for m.round == round {
			m.turn.Wait()
		}
	}
	m.values[rank] = append([]float64{}, values...)
	wait()
	for r, theirs := range m.values {
		copy(values[cuts[r]:cuts[r+1]], theirs[cuts[r]:cuts[r+1]])
	}
	wait()
	return nil
}

// TestSharesAreBits: each process computes the loss, and the gradients of its own images and
// texts, to the bits of one process that computes all.
func TestSharesAreBits(t *testing.T) {
	const b, each, d = 700, 2, 24
	groups, images, shares := make([]int32, b), make([]int32, b*each), make([]float32, b*each)
	for i := range groups {
		groups[i] = int32(i)
		if i%50 < 3 {
			groups[i] = int32(i / 50)
		}
	}
	for j := range images {
		images[j], shares[j] = int32(j/each), float32(j%3)/2
		if j%7 == 3 {
			images[j] = -1
		}
	}
	for _, c := range []struct {
		name      string
		loss      Loss
		each      int
		targets   func(g *G.ExprGraph) Targets
		logScale  float32
		smoothing float64
	}{
		{"plain", InfoNCE{}, 1, nil, 2, 0},
		{"plain, steep", InfoNCE{}, 1, nil, 4, 0},
		{"groups, texts and smoothing", InfoNCE{}, each, func(g *G.ExprGraph) Targets {
			return Targets{Groups: nn.Leaf(g, "groups", groups, b), Images: nn.Leaf(g, "images", images, b*each), Shares: nn.Leaf(g, "shares", shares, b*each), Smoothing: 0.1}
		}, 2, 0.1},
		{"sigmoid", Sigmoid{}, 1, nil, 2, 0},
		{"sigmoid of groups and texts", Sigmoid{}, each, func(g *G.ExprGraph) Targets {
			return Targets{Groups: nn.Leaf(g, "groups", groups, b), Images: nn.Leaf(g, "images", images, b*each), Shares: nn.Leaf(g, "shares", shares, b*each), Smoothing: 0.1}
		}, 2, 0.1},
		{"mixed with one that does not share", Mix(0.5, InfoNCE{}, ByRows("own", func(r *Row) float64 {
			r.Gradient[r.Image] = 1
			return float64(r.Similarities[r.Image])
		})), 1, nil, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := b * c.each
			image, text := units(1, b, d), units(2, n, d)
			compute := func(s *Share) (cost float32, grads [4][]float32, err error) {
				var out [5]*G.Node
				m, err := nn.Build(func(g *G.ExprGraph) ([]*G.Node, error) {
					in := Input{Image: nn.Leaf(g, "image", image, b, d), Text: nn.Leaf(g, "text", text, n, d),
						Scale: nn.Leaf(g, "scale", []float32{float32(math.Exp(float64(c.logScale)))}, 1), Bias: nn.Leaf(g, "bias", []float32{-3}, 1), Share: s}
					wrt := []*G.Node{in.Image, in.Text, in.Scale}
					if _, ok := c.loss.(Sigmoid); ok {
						wrt = append(wrt, in.Bias)
					}
					if c.targets != nil {
						in.Targets = c.targets(g)
					}
					var err error
					if out[0], err = c.loss.Forward(in); err != nil {
						return nil, err
					}
					list, err := nn.Grad(out[0], wrt...)
					copy(out[1:], list)
					return append([]*G.Node{out[0]}, list...), err
				})
				if err == nil {
					err = errors.Join(m.Run(), m.Run()) // the second time in the memory of the first
				}
				if err != nil {
					return 0, grads, err
				}
				for i, g := range out[1:] {
					if g != nil {
						grads[i] = append([]float32{}, nn.Floats(g)...)
					}
				}
				return nn.Floats(out[0])[0], grads, nil
			}
			want, wantGrads, err := compute(nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, cuts := range [][]int{{0, b}, {0, 300, b}, {0, 0, 257, b}, {0, 1, 256, 512, b}} {
				texts := make([]int, len(cuts))
				for r, v := range cuts {
					texts[r] = v * c.each
				}
				meet := newMeeting(len(cuts) - 1)
				var all sync.WaitGroup
				for rank := range len(cuts) - 1 {
					all.Add(1)
					go func() {
						defer all.Done()
						got, grads, err := compute(&Share{rank, cuts, texts, func(values []float64, cuts []int) error { return meet.gather(rank, values, cuts) }})
						switch {
						case err != nil:
							t.Error(err)
							return
						case math.Float32bits(got) != math.Float32bits(want) || want != want:
							t.Errorf("cut at %v: rank %d has loss %g, want %g", cuts, rank, got, want)
						}
						for k, grad := range grads {
							from, to := 0, len(grad)
							if k < 2 {
								own := [2][]int{cuts, texts}[k]
								from, to = own[rank]*d, own[rank+1]*d
							}
							for i := from; i < to; i++ {
								if math.Float32bits(grad[i]) != math.Float32bits(wantGrads[k][i]) {
									t.Errorf("cut at %v: gradient %d of rank %d has %g at %d, want %g", cuts, k, rank, grad[i], i, wantGrads[k][i])
									break
								}
							}
						}
					}()
				}
				all.Wait()
			}
		})
	}
}

// TestSharesRefuse: wrong shares are told of before anybody waits, and an error of the gathering
// ends the pass.
func TestSharesRefuse(t *testing.T) {
	fails := func(s *Share) error {
		m, err := nn.Build(func(g *G.ExprGraph) ([]*G.Node, error) {
			in := Input{Image: nn.Leaf(g, "image", units(1, 4, 8), 4, 8), Text: nn.Leaf(g, "text", units(2, 4, 8), 4, 8), Scale: nn.Leaf(g, "scale", []float32{2}, 1), Share: s}
			cost, err := InfoNCE{}.Forward(in)
			return []*G.Node{cost}, err
		})
		if err == nil {
			err = m.Run()
		}
		return err
	}
	gone := func([]float64, []int) error { return errors.New("rank 1 has ended") }
	for _, s := range []*Share{
		{}, {0, []int{0, 2}, []int{0, 4}, gone}, {2, []int{0, 2, 4}, []int{0, 2, 4}, gone}, {0, []int{0, 3, 2, 4}, []int{0, 1, 2, 4}, gone},
		{0, []int{0, 2, 4}, []int{0, 2, 4}, nil}, {0, []int{0, 2, 4}, []int{0, 2, 4}, gone}, {-1, []int{0, 2, 4}, []int{0, 2, 4}, gone},
	} {
		if err := fails(s); err == nil {
			t.Errorf("a share %s was taken", fmt.Sprint(s))
		}
	}
}
