package photos_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/photos"
)

// TestManyPhotographs updates a library of GOCLIP_PHOTOS photographs, 2,000 without, and holds
// the memory to what the photographs already in it take: what is known of each, and its
// embedding. Those that are in hand are forgotten. `.ci/slow photos` takes 100,000.
func TestManyPhotographs(t *testing.T) {
	n := 2000
	if asked, err := strconv.Atoi(os.Getenv("GOCLIP_PHOTOS")); err == nil {
		n = asked
	}
	if testing.Short() {
		t.Skip("reads thousands of photographs")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc")
	}
	m, dir := model(t, 5), filepath.Join(t.TempDir(), "album")
	base := encoded(t, smooth(1, 320, 240), 80)
	for i := range n { // each with a comment of its own, so that no two are the same file
		comment := binary.BigEndian.AppendUint32([]byte{0xff, 0xfe, 0, 6}, uint32(i))
		put(t, filepath.Join(dir, fmt.Sprintf("%03d", i/500), fmt.Sprintf("%06d.jpg", i)), slices.Concat(base[:2], comment, base[2:]))
	}
	path := filepath.Join(t.TempDir(), "photos.index")
	set, err := dataset.Open(dir, &dataset.Options{Shape: dataset.Images})
	check(t, err)
	l, err := photos.OpenLibrary(path, dir, m, photos.LibraryOptions{})
	check(t, err)
	early, began := 0, time.Now()
	_, err = l.Update(context.Background(), set, photos.UpdateOptions{Progress: func(done, total int) {
		if early == 0 && done >= total/10 {
			early = resident(t)
		}
	}})
	check(t, err)
	late, took := resident(t), time.Since(began)
	if l.Index().Len() != n {
		t.Errorf("%d photographs, want %d", l.Index().Len(), n)
	}
	check(t, l.Close())
	info, err := os.Stat(photos.ThumbsPath(path))
	check(t, err)
	t.Logf("%d photographs in %v, %.0f/s; %d MiB of memory at a tenth, %d MiB at the end; %d bytes of thumbnail each",
		n, took.Round(time.Millisecond), float64(n)/took.Seconds(), early>>20, late>>20, info.Size()/int64(n))
	const each, fair = 4 << 10, 16 << 20 // of a photograph; of passes and buffers that are used again
	if late-early > each*n+fair {
		t.Errorf("memory grew from %d to %d MiB over %d photographs", early>>20, late>>20, n*9/10)
	}

	// Nothing is read the second time.
	l, err = photos.OpenLibrary(path, dir, m, photos.LibraryOptions{})
	check(t, err)
	defer l.Close()
	began = time.Now()
	r, err := l.Update(context.Background(), set, photos.UpdateOptions{})
	check(t, err)
	t.Logf("nothing new: %v", time.Since(began).Round(time.Millisecond))
	if r.Unchanged != n {
		t.Errorf("%+v, want all %d unchanged", r, n)
	}
}

// resident is the memory of this process.
func resident(t *testing.T) int {
	debug.FreeOSMemory() // what a collector that is late would keep
	text := content(t, "/proc/self/status")
	m := regexp.MustCompile(`VmRSS:\s*(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no VmRSS in %s", text)
	}
	kb, err := strconv.Atoi(string(m[1]))
	check(t, err)
	return kb << 10
}
