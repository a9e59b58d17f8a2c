package report

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/goclip/goclip/eval"
)

// Map is the embeddings of images in two dimensions.
type Map struct {
	Explained float64 `json:"explained"` // the share of the variance that the two dimensions have
	Spots     []Spot  `json:"spots"`
}

// Spot is one image's place on the map.
type Spot struct {
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
	Key   string  `json:"key"`
	Label string  `json:"label,omitempty"`
}

// mapped is the number of images that a map has room for.
const mapped = 1500

// NewMap projects the embeddings on their first two principal components. Of
// more than 1500 images it takes so many at equal distances in the set.
func NewMap(f *eval.Features) (*Map, error) {
	if f == nil || f.Images == nil {
		return nil, errors.New("report: map: the features are nil")
	}
	n := min(f.Images.N, mapped)
	if n < 3 || f.Images.Dim < 2 {
		return nil, fmt.Errorf("report: a map of %d images with embeddings of %d numbers, want 3 and 2 at least", f.Images.N, f.Images.Dim)
	}
	m := &Map{Spots: make([]Spot, n)}
	x := mat.NewDense(n, f.Images.Dim, nil)
	for i := range n {
		from := i * f.Images.N / n
		m.Spots[i] = Spot{Key: f.Keys[from], Label: f.Labels[from]}
		for j, v := range f.Images.Row(from) {
			x.Set(i, j, float64(v))
		}
	}
	var pc stat.PC
	if !pc.PrincipalComponents(x, nil) {
		return nil, errors.New("report: the embeddings have no principal components")
	}
	var axes, places mat.Dense
	pc.VectorsTo(&axes)
	two := axes.Slice(0, f.Images.Dim, 0, 2).(*mat.Dense)
	for c := range 2 {
		upright(two, c)
	}
	places.Mul(x, two)
	for i := range m.Spots {
		m.Spots[i].X, m.Spots[i].Y = places.At(i, 0), places.At(i, 1)
	}
	vars, sum := pc.VarsTo(nil), 0.0
	for _, v := range vars {
		sum += v
	}
	if sum > 0 {
		m.Explained = (vars[0] + vars[1]) / sum
	}
	return m, nil
}

// upright turns a component so that its largest element is positive: its
// direction is arbitrary otherwise.
func upright(axes *mat.Dense, c int) {
	n, _ := axes.Dims()
	largest := 0.0
	for i := range n {
		if v := axes.At(i, c); math.Abs(v) > math.Abs(largest) {
			largest = v
		}
	}
	for i := range n {
		axes.Set(i, c, math.Copysign(1, largest)*axes.At(i, c))
	}
}

func (m *Map) validate() error {
	for i, s := range m.Spots {
		if bad(s.X) || bad(s.Y) {
			return fmt.Errorf("report: Map.Spots[%d] is at %g, %g", i, s.X, s.Y)
		}
	}
	if len(m.Spots) == 0 || bad(m.Explained) {
		return fmt.Errorf("report: Map has %d spots that explain %g", len(m.Spots), m.Explained)
	}
	return nil
}

// labels returns the labels of the map, those of most images first.
func (m *Map) labels() []string {
	count := make(map[string]int)
	for _, s := range m.Spots {
		if s.Label != "" {
			count[s.Label]++
		}
	}
	names := slices.Sorted(maps.Keys(count))
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	return names
}
