package photos_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/photos"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, want string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want …%s…", err, want)
	}
}

// model is a small model of a seed.
func model(t testing.TB, seed uint64) *encoder.Model {
	t.Helper()
	p := vision.CLIPPreprocess(16)
	p.Upright = true
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 2, Heads: 3, EmbedDim: 10,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 10, VocabSize: 130, Width: 8, Layers: 1, Heads: 2, EmbedDim: 10,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: p,
	}, letters.Tokenizer{}, seed)
	check(t, err)
	return m
}

// drawn is an image with a few large patches of colour.
func drawn(seed uint64, width, height int) image.Image {
	rng := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	var colours [16]color.RGBA
	for i := range colours {
		colours[i] = color.RGBA{uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(rng.IntN(256)), 255}
	}
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, colours[4*(4*y/height)+4*x/width])
		}
	}
	return img
}

func encoded(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}))
	return b.Bytes()
}

// long is the time of files that have long been there.
var long = time.Date(2020, 3, 4, 5, 6, 7, 0, time.UTC)

// put writes a file that has long been there.
func put(t testing.TB, path string, data []byte) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o777))
	check(t, os.WriteFile(path, data, 0o666))
	check(t, os.Chtimes(path, long, long))
}

// album makes a folder of n photographs.
func album(t testing.TB, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "album")
	for i := range n {
		put(t, filepath.Join(dir, fmt.Sprintf("%d/%03d.jpg", i%3, i)), encoded(t, drawn(uint64(i), 40, 30), 90))
	}
	return dir
}

// update brings a library in step with a folder and closes it.
func update(t testing.TB, m *encoder.Model, path, dir string, o photos.UpdateOptions) photos.Report {
	t.Helper()
	set, err := dataset.Open(dir, &dataset.Options{Shape: dataset.Images})
	check(t, err)
	l, err := photos.OpenLibrary(path, dir, m, photos.LibraryOptions{})
	check(t, err)
	r, err := l.Update(context.Background(), set, o)
	check(t, err)
	check(t, l.Close())
	check(t, set.Close())
	return r
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	return data
}

func keys(t testing.TB, path string) (list []string) {
	t.Helper()
	x, err := index.Open(path, nil)
	check(t, err)
	for e := range x.Entries() {
		list = append(list, e.Key)
	}
	check(t, x.Close())
	return list
}

// TestUpdate: what is new, changed, renamed, copied, touched and gone is told apart, and what
// comes of it is what a new library of the folder would be.
func TestUpdate(t *testing.T) {
	m := model(t, 5)
	dir := album(t, 12)
	path := filepath.Join(t.TempDir(), "photos.index")
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	expect := func(what string, got, want photos.Report) {
		t.Helper()
		if len(got.Skipped) != len(want.Skipped) {
			t.Errorf("%s: skipped %v", what, got.Skipped)
		}
		got.Skipped, want.Skipped = nil, nil
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
		anew := filepath.Join(t.TempDir(), "anew")
		update(t, m, anew, dir, photos.UpdateOptions{Chunk: 5})
		if !bytes.Equal(content(t, path), content(t, anew)) {
			t.Errorf("%s: the library differs from a new one: %q, want %q", what, keys(t, path), keys(t, anew))
		}
		journal := content(t, photos.JournalPath(path))
		if len(journal) > 1000 {
			t.Errorf("%s: the journal has %d bytes after the library was closed", what, len(journal))
		}
	}
	expect("at first", update(t, m, path, dir, photos.UpdateOptions{Chunk: 5}), photos.Report{Added: 12})
	expect("again", update(t, m, path, dir, photos.UpdateOptions{}), photos.Report{Unchanged: 12})

	check(t, os.Remove(at("0/000.jpg")))
	check(t, os.Rename(at("0/003.jpg"), at("1/renamed.jpg")))
	check(t, os.Chtimes(at("0/006.jpg"), long.Add(time.Hour), long.Add(time.Hour)))
	put(t, at("0/009.jpg"), encoded(t, drawn(100, 50, 40), 90))
	put(t, at("2/new.jpg"), encoded(t, drawn(101, 50, 40), 90))
	put(t, at("2/copy.jpg"), content(t, at("1/001.jpg")))
	put(t, at("1/004.jpg"), []byte("no photograph any more"))
	expect("after changes", update(t, m, path, dir, photos.UpdateOptions{Chunk: 2}),
		photos.Report{Added: 1, Changed: 1, Moved: 2, Removed: 2, Unchanged: 8, Skipped: make([]error, 1)})
	if got := keys(t, path); slices.Contains(got, "1/004.jpg") || slices.Contains(got, "0/000.jpg") || !slices.Contains(got, "1/renamed.jpg") {
		t.Errorf("found are %q", got)
	}
	// A rename decodes nothing: it is found although nothing can be decoded.
	check(t, os.Rename(at("2/new.jpg"), at("2/newer.jpg")))
	r := update(t, m, path, dir, photos.UpdateOptions{Decode: vision.DecodeOptions{MaxPixels: 1}})
	expect("after a rename", r, photos.Report{Moved: 1, Removed: 1, Unchanged: 11, Skipped: make([]error, 1)})
}

// TestWaits: what changed a moment ago is left for later where that is asked for, and otherwise
// read, but not taken for unchanged the next time.
func TestWaits(t *testing.T) {
	m, dir := model(t, 5), album(t, 3)
	path := filepath.Join(t.TempDir(), "photos.index")
	now := time.Now()
	check(t, os.Chtimes(filepath.Join(dir, "0", "000.jpg"), now, now))
	if r := update(t, m, path, dir, photos.UpdateOptions{Settled: time.Hour}); r.Added != 2 || r.Waiting != 1 {
		t.Errorf("got %+v, want one that waits", r)
	}
	if r := update(t, m, path, dir, photos.UpdateOptions{}); r.Added != 1 || r.Unchanged != 2 {
		t.Errorf("got %+v, want one more", r)
	}
	x, err := photos.Open(path, m)
	check(t, err)
	defer x.Close()
	e, _ := x.Get("0/000.jpg")
	if p, ok := photos.Parse(e.Meta); !ok || p.Modified != 0 {
		t.Errorf("got %+v, want a time that says nothing", p)
	}
}

// TestRefusals: a library is of one model and one folder, and one process writes to it.
func TestRefusals(t *testing.T) {
	m, dir, other := model(t, 5), album(t, 3), album(t, 2)
	path := filepath.Join(t.TempDir(), "photos.index")
	update(t, m, path, dir, photos.UpdateOptions{})
	open := func(path, dir string, m *encoder.Model, overwrite bool) error {
		l, err := photos.OpenLibrary(path, dir, m, photos.LibraryOptions{Overwrite: overwrite})
		if err == nil {
			return l.Close()
		}
		return err
	}
	before := content(t, path)
	fails(t, "is of the photographs in "+dir+", not of those in "+other, open(path, other, m, false))
	fails(t, "the index was made with model", open(path, dir, model(t, 6), false))
	fails(t, "the model is nil", open(path, dir, nil, false))
	l, err := photos.OpenLibrary(path, dir, m, photos.LibraryOptions{})
	check(t, err)
	fails(t, fmt.Sprintf("%s is in use: process %d writes there", path, os.Getpid()), open(path, dir, m, false))
	check(t, l.Close())

	// An index of other things.
	mine := filepath.Join(t.TempDir(), "mine")
	x := index.Of(m)
	e, err := m.EncodeTexts(context.Background(), "a")
	check(t, err)
	check(t, x.Add([]index.Entry{{Key: "a", Meta: "a caption"}}, e))
	check(t, x.Save(mine))
	fails(t, "is an index of other things", open(mine, dir, m, false))
	table := filepath.Join(t.TempDir(), "table.csv")
	put(t, table, []byte("image,caption\n"))
	for _, overwrite := range []bool{false, true} {
		if open(table, dir, m, overwrite) == nil || string(content(t, table)) != "image,caption\n" {
			t.Error("a table was taken for an index")
		}
	}
	if !bytes.Equal(content(t, path), before) {
		t.Error("a library changed though it was refused")
	}
	check(t, open(path, other, m, true))
	if len(keys(t, path)) != 0 {
		t.Error("begun anew, the library has photographs")
	}

	// A folder that was moved with all that is in it is the same one.
	update(t, m, path, other, photos.UpdateOptions{})
	check(t, os.Rename(other, other+" moved"))
	if r := update(t, m, path, other+" moved", photos.UpdateOptions{}); r.Unchanged != 2 || r.Removed != 0 {
		t.Errorf("after the folder was moved: %+v, want 2 unchanged", r)
	}
}

// TestFailuresAreRemembered: what cannot be read is not read again until it changes, and the
// library goes on without it.
func TestFailuresAreRemembered(t *testing.T) {
	m, dir := model(t, 5), album(t, 2)
	bad := filepath.Join(dir, "bad.jpg")
	put(t, bad, []byte("\xff\xd8\xff nothing"))
	l, err := photos.OpenLibrary(filepath.Join(t.TempDir(), "photos.index"), dir, m, photos.LibraryOptions{})
	check(t, err)
	defer l.Close()
	for round := range 3 {
		if round == 2 {
			put(t, bad, encoded(t, drawn(7, 20, 20), 90))
		}
		set, err := dataset.Open(dir, &dataset.Options{Shape: dataset.Images})
		check(t, err)
		seen := -1
		r, err := l.Update(context.Background(), set, photos.UpdateOptions{Progress: func(done, _ int) { seen = done }})
		check(t, err)
		if want := []int{3, -1, 1}[round]; seen != want || len(r.Skipped) != []int{1, 1, 0}[round] {
			t.Errorf("round %d: looked at %d, want %d; skipped %v", round, seen, want, r.Skipped)
		}
		check(t, set.Close())
	}
}

// exif is a segment of a JPEG with a turn, a time and a place.
func exif(orientation byte, taken, offset string) []byte {
	// A tag with its value behind the directories, or in it.
	type field struct {
		tag, kind uint16
		count     uint32
		value     []byte
	}
	be := binary.BigEndian
	rational := func(v ...uint32) (b []byte) {
		for _, x := range v {
			b = be.AppendUint32(be.AppendUint32(b, x), 1)
		}
		return b
	}
	text := func(s string) []byte { return append([]byte(s), 0) }
	directory := func(at int, fields []field) []byte {
		d, behind := be.AppendUint16(nil, uint16(len(fields))), []byte{}
		for _, f := range fields {
			d = be.AppendUint32(be.AppendUint16(be.AppendUint16(d, f.tag), f.kind), f.count)
			if len(f.value) <= 4 {
				d = append(d, append(slices.Clone(f.value), make([]byte, 4-len(f.value))...)...)
				continue
			}
			d = be.AppendUint32(d, uint32(at+2+12*len(fields)+4+len(behind)))
			behind = append(behind, f.value...)
		}
		return append(append(d, 0, 0, 0, 0), behind...)
	}
	const at0, at1, at2 = 8, 100, 300
	whole := make([]byte, 500)
	copy(whole, "MM\x00*\x00\x00\x00\x08")
	copy(whole[at0:], directory(at0, []field{
		{0x112, 3, 1, []byte{0, orientation}},
		{0x8769, 4, 1, be.AppendUint32(nil, at1)}, {0x8825, 4, 1, be.AppendUint32(nil, at2)},
	}))
	copy(whole[at1:], directory(at1, []field{
		{0x9003, 2, uint32(len(taken) + 1), text(taken)}, {0x9011, 2, uint32(len(offset) + 1), text(offset)},
	}))
	copy(whole[at2:], directory(at2, []field{
		{1, 2, 2, text("S")}, {2, 5, 3, rational(33, 30, 36)}, {3, 2, 2, text("E")}, {4, 5, 3, rational(151, 15, 0)},
	}))
	body := append([]byte("Exif\x00\x00"), whole...)
	return append(be.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2)), body...)
}

// shot puts EXIF into a JPEG.
func shot(jpeg, exif []byte) []byte { return slices.Concat(jpeg[:2], exif, jpeg[2:]) }

// TestWhatIsKnown: size, time, place and thumbnail are those of the photograph upright.
func TestWhatIsKnown(t *testing.T) {
	m, dir := model(t, 5), filepath.Join(t.TempDir(), "album")
	wide := encoded(t, drawn(1, 600, 300), 90)
	put(t, filepath.Join(dir, "turned.jpg"), shot(wide, exif(6, "2024:07:14 20:15:30", "+10:00")))
	put(t, filepath.Join(dir, "plain.jpg"), wide)
	put(t, filepath.Join(dir, "blank.jpg"), shot(encoded(t, drawn(2, 20, 10), 90), exif(1, "0000:00:00 00:00:00", "")))
	path := filepath.Join(t.TempDir(), "photos.index")
	update(t, m, path, dir, photos.UpdateOptions{})
	x, err := photos.Open(path, m)
	check(t, err)
	defer x.Close()
	thumbs, err := photos.OpenThumbs(path)
	check(t, err)
	defer thumbs.Close()
	for key, want := range map[string]struct {
		width, height int
		taken, day    string
		placed        bool
		thumb         image.Point
	}{
		"turned.jpg": {300, 600, "2024-07-14T20:15:30+10:00", "2024-07-14", true, image.Pt(128, 256)},
		"plain.jpg":  {600, 300, "", "2020-03-04", false, image.Pt(256, 128)},
		"blank.jpg":  {20, 10, "", "2020-03-04", true, image.Pt(20, 10)},
	} {
		e, _ := x.Get(key)
		p, ok := photos.Parse(e.Meta)
		if !ok || p.Width != want.width || p.Height != want.height || p.Taken != want.taken || (p.Place != nil) != want.placed {
			t.Errorf("%s: %+v, want %+v", key, p, want)
		}
		if p.Place != nil && (!(p.Place[0] > -33.5101 && p.Place[0] < -33.5099) || p.Place[1] != 151.25) {
			t.Errorf("%s is at %v, want 33.51 south and 151.25 east", key, *p.Place)
		}
		if got := p.Day(time.UTC); got != want.day {
			t.Errorf("%s: day %q, want %q", key, got, want.day)
		}
		data, err := thumbs.Get(p.SHA256)
		check(t, err)
		c, err := jpeg.DecodeConfig(bytes.NewReader(data))
		check(t, err)
		if image.Pt(c.Width, c.Height) != want.thumb || len(data) > 64<<10 {
			t.Errorf("%s: a thumbnail of %d×%d and %d bytes, want %v", key, c.Width, c.Height, len(data), want.thumb)
		}
	}
	if thumbs.Len() != 3 {
		t.Errorf("%d thumbnails, want 3", thumbs.Len())
	}
	if _, err := thumbs.Get(strings.Repeat("0", 64)); !os.IsNotExist(err) {
		t.Errorf("of a file that is not there: %v", err)
	}
	// Without the file the thumbnails are made again.
	check(t, os.Remove(photos.ThumbsPath(path)))
	if r := update(t, m, path, dir, photos.UpdateOptions{}); r.Changed != 3 {
		t.Errorf("without thumbnails: %+v, want 3 read again", r)
	}
}
