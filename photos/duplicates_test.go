package photos_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// smooth is an image as a camera makes one: soft, with no two alike.
func smooth(seed uint64, width, height int) image.Image {
	rng := rand.New(rand.NewPCG(seed, 2))
	const n = 6
	var grid [n + 1][n + 1][3]float64
	for i := range grid {
		for j := range grid[i] {
			for c := range 3 {
				grid[i][j][c] = 255 * rng.Float64()
			}
		}
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)*n/float64(width), float64(y)*n/float64(height)
			i, j, a, b := int(v), int(u), v-float64(int(v)), u-float64(int(u))
			var p [3]uint8
			for c := range p {
				p[c] = uint8((1-a)*((1-b)*grid[i][j][c]+b*grid[i][j+1][c]) + a*((1-b)*grid[i+1][j][c]+b*grid[i+1][j+1][c]))
			}
			img.SetRGBA(x, y, color.RGBA{p[0], p[1], p[2], 255})
		}
	}
	return img
}

// TestDuplicates: a copy, a picture compressed anew, scaled and turned by its orientation, and a
// burst are told apart, and what is none of these is in no group.
func TestDuplicates(t *testing.T) {
	m, dir := model(t, 5), filepath.Join(t.TempDir(), "album")
	at := func(name string, data []byte) { put(t, filepath.Join(dir, name), data) }
	taken := func(second int) []byte { return exif(1, fmt.Sprintf("2024:07:14 20:15:%02d", second), "") }
	for i := range 30 {
		at(fmt.Sprintf("other %02d.jpg", i), encoded(t, smooth(uint64(100+i), 120, 90), 90))
	}
	one := encoded(t, smooth(1, 240, 180), 95)
	at("a.jpg", one)
	at("copy.jpg", one)
	at("a small.jpg", encoded(t, smooth(1, 120, 90), 95))
	at("a worse.jpg", encoded(t, smooth(1, 240, 180), 40))
	turned := image.NewRGBA(image.Rect(0, 0, 180, 240)) // stored on its side, as orientation 6 has it
	for y := range 240 {
		for x := range 180 {
			turned.Set(x, y, smoothOne.At(239-y, x))
		}
	}
	at("a turned.jpg", shot(encoded(t, turned, 90), exif(6, "", "")))
	for i, second := range []int{1, 5, 9, 30} {
		at(fmt.Sprintf("burst %d.jpg", i), shot(encoded(t, smooth(uint64(10+i), 120, 90), 90), taken(second)))
	}
	path := filepath.Join(t.TempDir(), "photos.index")
	update(t, m, path, dir, photos.UpdateOptions{})
	x, err := photos.Open(path, nil)
	check(t, err)
	defer x.Close()
	found := func(o photos.DuplicateOptions, keep func(index.Entry) bool) (list []string) {
		groups, err := photos.Duplicates(context.Background(), x, o, keep)
		check(t, err)
		for _, g := range groups {
			for i, d := range g {
				if i == 0 {
					list = append(list, d.Key)
					continue
				}
				list = append(list, fmt.Sprintf("  %s: %s", d.Key, d.Likeness))
			}
		}
		return list
	}
	// An untrained model's cosines are all alike: time alone makes a burst here.
	loose := photos.DuplicateOptions{Cosine: -1, BurstCosine: -1}
	same := []string{"a.jpg", "  copy.jpg: same file", "  a turned.jpg: re-encoded", "  a worse.jpg: re-encoded", "  a small.jpg: re-encoded"}
	burst := []string{"burst 0.jpg", "  burst 1.jpg: burst", "  burst 2.jpg: burst"}
	sorted := func(list []string) []string { list = slices.Clone(list); slices.Sort(list[1:]); return list }
	got := found(loose, nil)
	if len(got) != 8 || !slices.Equal(sorted(got[:5]), sorted(same)) || !slices.Equal(sorted(got[5:]), sortedBurst(got[5], burst)) {
		t.Errorf("got %q, want %q and %q", got, same, burst)
	}
	if got := found(photos.DuplicateOptions{Distance: -1, Burst: -1}, nil); !slices.Equal(got, []string{"a.jpg", "  copy.jpg: same file"}) {
		t.Errorf("the same files only: got %q", got)
	}
	if got := found(photos.DuplicateOptions{Cosine: 1, Burst: -1}, nil); !slices.Equal(got, []string{"a.jpg", "  copy.jpg: same file"}) {
		t.Errorf("with embeddings that must be the same: got %q", got)
	}
	if got := found(photos.DuplicateOptions{Cosine: -1, BurstCosine: -1, Burst: time.Minute}, func(e index.Entry) bool { return e.Key[0] == 'b' }); len(got) != 4 {
		t.Errorf("of the bursts within a minute: got %q, want one group of 4", got)
	}
	if got := found(loose, func(e index.Entry) bool { return e.Key[0] == 'o' }); len(got) != 0 {
		t.Errorf("of those that differ: got %q", got)
	}
	_, err = photos.Duplicates(context.Background(), x, photos.DuplicateOptions{Distance: 17}, nil)
	fails(t, "want at most 16", err)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = photos.Duplicates(ended, x, loose, nil); err != context.Canceled {
		t.Errorf("after the end: %v", err)
	}
	other := index.New(4)
	check(t, other.Add([]index.Entry{{Key: "a", Meta: "a caption"}}, &encoder.Embeddings{N: 1, Dim: 4, Data: []float32{1, 0, 0, 0}}))
	_, err = photos.Duplicates(context.Background(), other, loose, nil)
	fails(t, `"a" says nothing of its file`, err)
}

var smoothOne = smooth(1, 240, 180)

// sortedBurst is a burst of which any may come first: the largest file.
func sortedBurst(first string, burst []string) []string {
	names := []string{burst[0], "burst 1.jpg", "burst 2.jpg"}
	list := []string{first}
	for _, n := range names {
		if n != first {
			list = append(list, "  "+n+": burst")
		}
	}
	slices.Sort(list[1:])
	return list
}

// TestLooks: the difference hash of a picture stays near through scaling and compression, and
// those of different pictures are far apart.
func TestLooks(t *testing.T) {
	m, dir := model(t, 5), filepath.Join(t.TempDir(), "album")
	const n = 40
	for i := range n {
		put(t, filepath.Join(dir, fmt.Sprintf("%02d large.jpg", i)), encoded(t, smooth(uint64(i), 160, 120), 95))
		put(t, filepath.Join(dir, fmt.Sprintf("%02d small.jpg", i)), encoded(t, smooth(uint64(i), 100, 75), 50))
	}
	path := filepath.Join(t.TempDir(), "photos.index")
	update(t, m, path, dir, photos.UpdateOptions{})
	x, err := photos.Open(path, nil)
	check(t, err)
	defer x.Close()
	look := func(key string) photos.Look {
		e, _ := x.Get(key)
		p, _ := photos.Parse(e.Meta)
		return p.Look
	}
	near, far := 0, 64
	for i := range n {
		large := look(fmt.Sprintf("%02d large.jpg", i))
		near = max(near, large.Distance(look(fmt.Sprintf("%02d small.jpg", i))))
		for j := range i {
			far = min(far, large.Distance(look(fmt.Sprintf("%02d large.jpg", j))))
		}
	}
	if near > 6 || far <= 6 {
		t.Errorf("pictures differ from themselves in %d bits, from each other in %d, want at most 6 and more", near, far)
	}
}
