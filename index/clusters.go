package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/dice"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Cluster is entries that lie near each other.
type Cluster struct {
	Mean []float32 // of their embeddings, not normalised
	Keys []string  // the one nearest to the mean first
}

// Clusters parts an index into at most k clusters by spherical k-means (Dhillon & Modha, 2001)
// from the seeds of k-means++ (Arthur & Vassilvitskii, 2007), the largest first. Where there are
// many entries the means are found with 65,536 of them, chosen by their keys. One index and seed
// give the same clusters always, on any number of cores.
func (x *Index) Clusters(ctx context.Context, k int, seed uint64) ([]Cluster, error) {
	if k < 1 {
		return nil, fmt.Errorf("index: %d clusters, want 1 or more", k)
	}
	if x == nil {
		return nil, errClosed
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.close == nil {
		return nil, errClosed
	}
	m := means{Index: x, dice: dice.New(seed, dice.Centres, uint64(k))}
	every := uint64(x.live/lookedAt + 1)
	all := x.sorted()
	for _, row := range all {
		if every == 1 || number(x.entries[row].Key)%every == 0 {
			m.rows = append(m.rows, row)
		}
	}
	if len(m.rows) == 0 {
		return nil, errors.New("index: clusters of an empty index")
	}
	m.begin(k)
	for range 50 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !m.assign() {
			break
		}
		m.move()
	}
	m.rows, m.nearest = all, nil
	m.assign()
	return m.clusters(), nil
}

// means are those of k-means.
type means struct {
	*Index
	dice    dice.Dice
	rows    []int       // in the order of their keys
	centres [][]float32 // normalised
	nearest []int       // centre of each of rows
	cosines []float32   // with it
}

// begin chooses rows as centres, each with a probability that grows with its distance from the
// others.
func (m *means) begin(k int) {
	distance := make([]float64, len(m.rows))
	for i := range distance {
		distance[i] = 1
	}
	for len(m.centres) < min(k, len(m.rows)) {
		total := 0.0
		for _, d := range distance {
			total += d
		}
		if !(total > 1e-9) { // the rest are the same as a centre
			return
		}
		at, chosen := m.dice.Unit()*total, -1
		for i, d := range distance {
			if at -= d; d > 0 {
				if chosen = i; at < 0 {
					break
				}
			}
		}
		centre := slices.Clone(m.row(m.rows[chosen]))
		m.centres = append(m.centres, centre)
		parallel.For(len(m.rows), func(i int) {
			// Half the square of the distance of two points on the sphere.
			d := max(0, 1-float64(kernel.Dot(centre, m.row(m.rows[i]))))
			if len(m.centres) == 1 || d < distance[i] {
				distance[i] = d
			}
			if distance[i] < 1e-6 {
				distance[i] = 0
			}
		})
	}
}

// assign finds each row's nearest centre, and tells whether any changed.
func (m *means) assign() bool {
	before := m.nearest
	m.nearest, m.cosines = make([]int, len(m.rows)), make([]float32, len(m.rows))
	parallel.For(len(m.rows), func(i int) {
		row := m.row(m.rows[i])
		m.cosines[i] = float32(math.Inf(-1))
		for c, centre := range m.centres {
			if s := kernel.Dot(centre, row); s > m.cosines[i] {
				m.nearest[i], m.cosines[i] = c, s
			}
		}
	})
	return !slices.Equal(before, m.nearest)
}

// sums adds up the rows of each centre, in the order of their keys.
func (m *means) sums() (sums [][]float64, n []int) {
	sums, n = make([][]float64, len(m.centres)), make([]int, len(m.centres))
	for c := range sums {
		sums[c] = make([]float64, m.dim)
	}
	for i, c := range m.nearest {
		n[c]++
		for j, v := range m.row(m.rows[i]) {
			sums[c][j] += float64(v)
		}
	}
	return sums, n
}

// move puts each centre into the direction of its rows' mean. One without rows stays.
func (m *means) move() {
	sums, _ := m.sums()
	for c, sum := range sums {
		norm := 0.0
		for _, v := range sum {
			norm += v * v
		}
		if norm == 0 {
			continue
		}
		for j, v := range sum {
			m.centres[c][j] = float32(v / math.Sqrt(norm))
		}
	}
}

func (m *means) clusters() []Cluster {
	sums, n := m.sums()
	list, members := make([]Cluster, len(sums)), make([][]int, len(sums))
	for i, c := range m.nearest {
		members[c] = append(members[c], i)
	}
	for c := range list {
		slices.SortStableFunc(members[c], func(a, b int) int { return cmp.Compare(m.cosines[b], m.cosines[a]) })
		for _, i := range members[c] {
			list[c].Keys = append(list[c].Keys, m.entries[m.rows[i]].Key)
		}
		list[c].Mean = make([]float32, m.dim)
		for j, v := range sums[c] {
			list[c].Mean[j] = float32(v / float64(max(1, n[c])))
		}
	}
	list = slices.DeleteFunc(list, func(c Cluster) bool { return len(c.Keys) == 0 })
	slices.SortStableFunc(list, func(a, b Cluster) int {
		return cmp.Or(cmp.Compare(len(b.Keys), len(a.Keys)), cmp.Compare(a.Keys[0], b.Keys[0]))
	})
	return list
}

// NameClusters returns for each cluster the places of the n words, of which e are the
// embeddings, by which it stands out most: whose cosine with the cluster's images lies above that with all of
// them by the most, on the average.
func NameClusters(clusters []Cluster, e *encoder.Embeddings, n int) ([][]int, error) {
	if e == nil {
		return nil, errors.New("index: the words' embeddings are nil")
	}
	if err := e.Validate(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	all, total := make([]float64, e.Dim), 0
	for _, c := range clusters {
		if len(c.Mean) != e.Dim {
			return nil, fmt.Errorf("index: words of %d numbers, want %d", e.Dim, len(c.Mean))
		}
		for j, v := range c.Mean {
			all[j] += float64(v) * float64(len(c.Keys))
		}
		total += len(c.Keys)
	}
	names := make([][]int, len(clusters))
	for i, c := range clusters {
		apart, order := make([]float32, e.Dim), make([]int, e.N)
		for j, v := range c.Mean {
			apart[j] = v - float32(all[j]/float64(max(1, total)))
		}
		scores := make([]float32, e.N)
		for w := range order {
			order[w], scores[w] = w, kernel.Dot(apart, e.Row(w))
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
		names[i] = order[:min(n, len(order))]
	}
	return names, nil
}
