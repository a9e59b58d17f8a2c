package scaling

import (
	"fmt"
	"math"
)

// Collective is how machines add up their gradients.
type Collective uint8

// The collectives (Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations
// in MPICH", 2005).
const (
	// Ring passes pieces of 1/n round twice, once to add and once to spread them.
	Ring Collective = iota
	// Tree adds whole vectors in pairs, and in pairs of pairs, and sends the sum back the same
	// way. Its order of additions does not depend on the number of machines.
	Tree
)

// Link joins two machines.
type Link struct {
	Latency   float64 // seconds of a message without content
	Bandwidth float64 // bytes a second, in each direction at once
}

// AllReduce is the time in which n machines add up vectors of so many bytes, so that all have the sum:
// 2(n−1)·(latency + bytes/n/bandwidth) by a ring, 2⌈log₂ n⌉·(latency + bytes/bandwidth) by a tree.
func (c Collective) AllReduce(n int, bytes float64, l Link) float64 {
	if n < 2 {
		return 0
	}
	if c == Tree {
		return 2 * math.Ceil(math.Log2(float64(n))) * (l.Latency + bytes/l.Bandwidth)
	}
	return 2 * float64(n-1) * (l.Latency + bytes/float64(n)/l.Bandwidth)
}

// Gather is the time in which n machines bring what all of them have, bytes in all, to each one,
// by a ring: (n−1)·(latency + bytes/n/bandwidth).
func (l Link) Gather(n int, bytes float64) float64 {
	return float64(max(n, 1)-1) * (l.Latency + bytes/float64(max(n, 1))/l.Bandwidth)
}

// Step is one step of a data-parallel training whose global batch stays the same on any number of
// machines.
type Step struct {
	Seconds    float64 // of the work that machines share, on one of them
	Fixed      float64 // of what each machine does by itself, whatever their number
	Gradients  float64 // bytes
	Embeddings float64 // bytes of the global batch's, which all machines see, and whose gradients go back
	Overlap    float64 // share of Seconds during which gradients travel already, 0 to 1
	Collective Collective
	Link       Link
}

// Validate names the first field that no step could have.
func (s Step) Validate() error {
	for _, f := range []struct {
		name      string
		v, lowest float64
	}{
		{"Seconds", s.Seconds, math.SmallestNonzeroFloat64}, {"Fixed", s.Fixed, 0}, {"Gradients", s.Gradients, 0}, {"Embeddings", s.Embeddings, 0},
		{"Overlap", s.Overlap, 0}, {"Link.Latency", s.Link.Latency, 0}, {"Link.Bandwidth", s.Link.Bandwidth, math.SmallestNonzeroFloat64},
	} {
		if !(f.v >= f.lowest) || math.IsInf(f.v, 0) {
			return fmt.Errorf("scaling: Step.%s is %g, want more", f.name, f.v)
		}
	}
	if s.Overlap > 1 || s.Collective > Tree {
		return fmt.Errorf("scaling: Step.Overlap is %g, want 0 to 1, and Collective %d, want Ring or Tree", s.Overlap, s.Collective)
	}
	return nil
}

// On is the step's time on n machines. Embeddings are gathered between the forward and the backward pass and
// their gradients added up, where all wait; what of the gradients' exchange does not fit beside the
// backward pass is waited for at the end.
func (s Step) On(n int) float64 {
	shared := s.Seconds / float64(max(n, 1))
	embeddings := s.Link.Gather(n, s.Embeddings) + Ring.AllReduce(n, s.Embeddings, s.Link)
	return shared + s.Fixed + embeddings + max(0, s.Collective.AllReduce(n, s.Gradients, s.Link)-s.Overlap*shared)
}

// Worth is the number of machines, of at most most, after which another one stops paying, if it has to add to the
// run's speed the given share of what the first one does: the number n for which speed less share·n is
// highest, in units of one machine's speed. With a share of 0 it is the fastest; 0.5 is a usual taste.
func (s Step) Worth(share float64, most int) (int, error) {
	if err := s.Validate(); err != nil {
		return 0, err
	}
	if !(share >= 0 && share < 1) || most < 1 || most > 1<<20 {
		return 0, fmt.Errorf("scaling: a share of %g of at most %d machines, want 0 to 1 of 1 to %d", share, most, 1<<20)
	}
	best, value := 1, 1-share
	for n := 2; n <= most; n++ {
		if v := s.On(1)/s.On(n) - share*float64(n); v > value {
			best, value = n, v
		}
	}
	return best, nil
}
