package index_test

import (
	"math"
	"os"
	"slices"
	"testing"

	"github.com/goclip/goclip/index"
)

// TestOpenUnread: an index that is opened without being read finds what it finds otherwise;
// keys, metas and header are compared all the same, and Verify finds what is wrong with the rest.
func TestOpenUnread(t *testing.T) {
	path, data := filed(t, index.New(4))
	x, err := index.OpenUnread(path, nil)
	check(t, err)
	check(t, x.Verify())
	whole, err := index.Open(path, nil)
	check(t, err)
	check(t, whole.Verify())
	got, err := x.Search(halves3(4).Row(0), 3, nil)
	check(t, err)
	want, err := whole.Search(halves3(4).Row(0), 3, nil)
	check(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	check(t, x.Close())
	check(t, whole.Close())
	fails(t, "closed", x.Verify())
	for at := range data {
		for _, bit := range []int{0, 7} {
			bad := slices.Clone(data)
			bad[at] ^= 1 << bit
			check(t, os.WriteFile(path, bad, 0o666))
			x, err := index.OpenUnread(path, nil)
			if err != nil {
				continue
			}
			hits, err := x.Search(halves3(4).Row(0), 3, nil)
			check(t, err)
			for _, h := range hits {
				if _, known := whole.Get(h.Key); known || math.IsNaN(h.Score) {
					t.Errorf("byte %d changed: hit %v", at, h)
				}
			}
			if x.Verify() == nil && !slices.Equal(bad, data) {
				t.Errorf("byte %d changed, and neither opening nor Verify says so", at)
			}
			check(t, x.Close())
		}
	}
}
