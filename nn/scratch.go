package nn

import "sync"

// scratch lends buffers to the goroutines of one op.
type scratch struct{ free sync.Pool } // of *[]float32

// get lends n floats or more, whose values are anything.
func (s *scratch) get(n int) *[]float32 {
	if p, ok := s.free.Get().(*[]float32); ok && len(*p) >= n {
		return p
	}
	p := make([]float32, n)
	return &p
}

func (s *scratch) put(p *[]float32) { s.free.Put(p) }
