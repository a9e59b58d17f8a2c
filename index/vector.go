package index

import "slices"

// Vector returns a copy of the embedding of a key.
func (x *Index) Vector(key string) ([]float32, bool) {
	if x == nil {
		return nil, false
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	row, ok := x.find(key)
	if !ok {
		return nil, false
	}
	return slices.Clone(x.row(row)), true
}
