package photos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goclip/goclip/index"
)

// Likeness says how two photographs are alike.
type Likeness uint8

// The ways to be alike, the closest first.
const (
	SameFile  Likeness = iota // byte for byte
	Reencoded                 // compressed anew, scaled or turned: one picture in two files
	Burst                     // taken within seconds of each other, and alike
)

// String is for people.
func (l Likeness) String() string {
	switch l {
	case SameFile:
		return "same file"
	case Reencoded:
		return "re-encoded"
	case Burst:
		return "burst"
	}
	return fmt.Sprintf("Likeness(%d)", uint8(l))
}

// MarshalText writes what String returns.
func (l Likeness) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Duplicate is a photograph of a [Group].
type Duplicate struct {
	Key   string
	Photo Photo

	// How it is like the first of its group, its Look's distance from that one's, and the
	// cosine of the two. Of the first itself these are 0 and 1.
	Likeness Likeness
	Distance int
	Cosine   float64
}

// Group is photographs that are alike: the one to keep first, which is that of the most pixels,
// of the largest file, of the least key, in this order.
type Group []Duplicate

// DuplicateOptions say what is alike. A zero field means what stands beside it.
type DuplicateOptions struct {
	Distance    int           // of two looks, at most: 6 of 64; -1 for none that are re-encoded
	Cosine      float64       // of embeddings of such: 0.95
	Burst       time.Duration // between two photographs, at most: 10 s; -1 for no bursts
	BurstCosine float64       // of embeddings of such: 0.9
}

func (o DuplicateOptions) check() (DuplicateOptions, error) {
	o.Distance, o.Burst = cmp.Or(o.Distance, 6), cmp.Or(o.Burst, 10*time.Second)
	o.Cosine, o.BurstCosine = cmp.Or(o.Cosine, 0.95), cmp.Or(o.BurstCosine, 0.9)
	switch {
	case o.Distance > 16:
		return o, fmt.Errorf("photos: a distance of %d, want at most 16: photographs that have nothing to do with each other begin soon after", o.Distance)
	case !(o.Cosine >= -1 && o.Cosine <= 1 && o.BurstCosine >= -1 && o.BurstCosine <= 1):
		return o, fmt.Errorf("photos: cosines of %v and %v, want -1 to 1", o.Cosine, o.BurstCosine)
	}
	return o, nil
}

// Duplicates finds photographs of a library that are alike, where keep is nil or true of both,
// and returns groups of two or more, in the order of their first keys. A group is what hangs
// together: of ten photographs of a burst the first and the last need not be alike.
//
// No pair is compared that need not be: files by their SHA-256; pictures whose looks agree in
// one of as many pieces as may differ in bits and one more, as then one piece is the same; bursts
// by their times. The embeddings decide among these.
func Duplicates(ctx context.Context, x *index.Index, o DuplicateOptions, keep func(index.Entry) bool) ([]Group, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	d := &duplicates{DuplicateOptions: o, ctx: ctx, x: x}
	for e := range x.Entries() {
		p, ok := Parse(e.Meta)
		if !ok {
			return nil, fmt.Errorf("photos: duplicates: %q says nothing of its file: the index is of no folder, or was written by an older version", e.Key)
		}
		if keep == nil || keep(e) {
			d.all = append(d.all, Duplicate{Key: e.Key, Photo: p})
			d.group = append(d.group, len(d.group))
		}
	}
	if len(d.all) == 0 && x.Len() == 0 {
		return nil, errors.New("photos: duplicates: the index is empty")
	}
	d.sameFiles()
	if o.Distance >= 0 {
		err = d.looks()
	}
	if err == nil && o.Burst >= 0 {
		err = d.bursts()
	}
	if err != nil {
		return nil, err
	}
	return d.groups(), nil
}

type duplicates struct {
	DuplicateOptions
	ctx   context.Context
	x     *index.Index
	all   []Duplicate
	group []int // another of the same group, in the end the first of all (union-find)
}

func (d *duplicates) of(i int) int {
	for d.group[i] != i {
		d.group[i] = d.group[d.group[i]]
		i = d.group[i]
	}
	return i
}

func (d *duplicates) join(i, j int) {
	i, j = d.of(i), d.of(j)
	d.group[max(i, j)] = min(i, j)
}

func (d *duplicates) cosine(i, j int) float64 {
	c, _ := d.x.Cosine(d.all[i].Key, d.all[j].Key)
	return c
}

func (d *duplicates) sameFiles() {
	first := map[string]int{}
	for i, p := range d.all {
		if j, there := first[p.Photo.SHA256]; there {
			d.join(i, j)
		} else {
			first[p.Photo.SHA256] = i
		}
	}
}

// looks joins photographs whose looks and embeddings are close.
func (d *duplicates) looks() error {
	pieces := d.Distance + 1
	for piece := range pieces {
		from, to := 64*piece/pieces, 64*(piece+1)/pieces
		mask := Look(1)<<(to-from) - 1
		same := map[Look][]int{}
		for i, p := range d.all {
			if err := d.ctx.Err(); err != nil {
				return err
			}
			part := p.Photo.Look >> from & mask
			for _, j := range same[part] {
				if p.Photo.Look.Distance(d.all[j].Photo.Look) <= d.Distance && d.of(i) != d.of(j) && d.cosine(i, j) >= d.Cosine {
					d.join(i, j)
				}
			}
			same[part] = append(same[part], i)
		}
	}
	return nil
}

// bursts joins photographs that were taken one soon after the other. Only what a file says of
// its time counts, and only times of one clock are compared: all with their distance from UTC,
// or all without.
func (d *duplicates) bursts() error {
	const following = 64 // of one photograph that are compared with it; a chain reaches further
	type taken struct {
		at time.Time
		i  int
	}
	clocks := map[bool][]taken{}
	for i, p := range d.all {
		if at, ok := p.Photo.When(time.UTC); ok && p.Photo.Taken != "" {
			zoned := len(p.Photo.Taken) > len("2006-01-02T15:04:05")
			clocks[zoned] = append(clocks[zoned], taken{at, i})
		}
	}
	for _, list := range clocks {
		slices.SortStableFunc(list, func(a, b taken) int { return a.at.Compare(b.at) })
		for n, a := range list {
			if err := d.ctx.Err(); err != nil {
				return err
			}
			for _, b := range list[n+1 : min(n+1+following, len(list))] {
				if b.at.Sub(a.at) > d.Burst {
					break
				}
				if d.of(a.i) != d.of(b.i) && d.cosine(a.i, b.i) >= d.BurstCosine {
					d.join(a.i, b.i)
				}
			}
		}
	}
	return nil
}

func (d *duplicates) groups() []Group {
	members := map[int][]int{}
	for i := range d.all {
		members[d.of(i)] = append(members[d.of(i)], i)
	}
	var groups []Group
	for _, list := range members {
		if len(list) < 2 {
			continue
		}
		slices.SortFunc(list, func(a, b int) int {
			p, q := d.all[a].Photo, d.all[b].Photo
			return cmp.Or(cmp.Compare(q.Width*q.Height, p.Width*p.Height), cmp.Compare(q.Size, p.Size), cmp.Compare(d.all[a].Key, d.all[b].Key))
		})
		g := make(Group, len(list))
		for n, i := range list {
			g[n] = d.all[i]
			g[n].Cosine = 1
			if n > 0 {
				g[n].Cosine, g[n].Distance = d.cosine(list[0], i), g[n].Photo.Look.Distance(g[0].Photo.Look)
			}
			switch {
			case g[n].Photo.SHA256 == g[0].Photo.SHA256:
			case d.Distance >= 0 && g[n].Distance <= d.Distance && g[n].Cosine >= d.Cosine && !apart(g[n].Photo, g[0].Photo):
				g[n].Likeness = Reencoded
			default:
				g[n].Likeness = Burst
			}
		}
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a[0].Key, b[0].Key) })
	return groups
}

// apart tells whether two photographs say that they were taken at different times.
func apart(a, b Photo) bool { return a.Taken != "" && b.Taken != "" && a.Taken != b.Taken }
