package parquet_test

import (
	"bytes"
	"image"
	"image/png"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	lib "github.com/parquet-go/parquet-go"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/parquet"
)

type picture struct {
	Bytes []byte `parquet:"bytes"`
	Path  string `parquet:"path"`
}

type sample struct {
	Image   *picture `parquet:"image,optional"`
	Caption []string `parquet:"caption,list"`
	Label   int64    `parquet:"label"`
}

func written(t testing.TB, rows []sample, more ...lib.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := lib.NewGenericWriter[sample](&b, append(more, lib.KeyValueMetadata("huggingface", `{"info":{"features":{"label":{"names":["owl","fox"],"_type":"ClassLabel"}}}}`))...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t testing.TB, width int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, 3))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestImagesInside: each row gives its own image, captions and the name of its class.
func TestImagesInside(t *testing.T) {
	var rows []sample
	for i := range 50 {
		rows = append(rows, sample{&picture{pngOf(t, i+1), "x.png"}, []string{"a", "b"}, int64(i % 2)})
	}
	rows = append(rows, sample{nil, []string{"none"}, 0})
	fsys := fstest.MapFS{"d/a.parquet": {Data: written(t, rows)}}
	for _, name := range []string{"d", "d/a.parquet"} {
		set, err := dataset.OpenFS(fsys, name, &dataset.Options{Formats: []dataset.Format{parquet.Format{}}})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		x, _ := set.Indexed()
		if x.Len() != len(rows) || set.Seen().Shape != dataset.Containers {
			t.Fatalf("%s: %v", name, set.Seen())
		}
		for i := range 50 {
			s := x.At(i)
			p, err := s.Picture()
			if err != nil || p.Image.Bounds().Dx() != i+1 || len(s.Captions) != 2 || s.Label != []string{"owl", "fox"}[i%2] {
				t.Fatalf("%s: row %d: %v, %q, %q, error %v", name, i, p.Image.Bounds(), s.Captions, s.Label, err)
			}
		}
		if _, err := x.At(50).Picture(); err == nil {
			t.Error("a row without an image gives one")
		}
	}
}

// FuzzOpen: damaged files give errors.
// TestLiars: what a file says of its sizes is checked before memory is taken for it, and
// a page of LZ4 is read unless it is damaged.
func TestLiars(t *testing.T) {
	good := written(t, []sample{{&picture{pngOf(t, 9), "x.png"}, []string{strings.Repeat("caption ", 100)}, 1}}, lib.Compression(&lib.Lz4Raw))
	read := func(data []byte) (captions []string, err error) {
		table, err := parquet.Format{}.OpenTable(bytes.NewReader(data), int64(len(data)), 1<<20)
		if err != nil {
			return nil, err
		}
		err = table.Cells([]string{"caption"}, func(_ int, cells [][]string) error {
			captions = append(captions, cells[0]...)
			return nil
		})
		return captions, err
	}
	if captions, err := read(good); err != nil || len(captions) != 1 {
		t.Fatalf("%q, error %v", captions, err)
	}
	footer := bytes.Clone(good)
	copy(footer[len(footer)-8:], "\xff\xff\xff\xf0")
	if _, err := read(footer); err == nil || !strings.Contains(err.Error(), "a footer of 4043309055 bytes in a file of") {
		t.Errorf("a footer of nearly 4 GiB: %v", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wrong := 0
	at := bytes.Index(good, []byte("caption caption"[:8]))
	for i := range 24 {
		page := bytes.Clone(good)
		page[at-8+i] ^= 0x55
		if _, err := read(page); err != nil {
			wrong++
		}
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; wrong == 0 || taken > 1<<30 {
		t.Errorf("%d of 24 damaged files were refused, and %d MiB taken", wrong, taken>>20)
	}
}

func FuzzOpen(f *testing.F) {
	whole := written(f, []sample{{&picture{pngOf(f, 2), "x.png"}, []string{"a"}, 1}})
	f.Add(whole)
	f.Add(whole[len(whole)/2:])
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := parquet.Format{}.OpenTable(bytes.NewReader(data), int64(len(data)), 1<<20)
		if err != nil {
			return
		}
		var names []string
		for _, c := range table.Columns() {
			names = append(names, c.Name)
		}
		table.Cells(names, func(int, [][]string) error { return nil })
		for _, name := range names {
			table.Image(name, 0)
		}
	})
}
