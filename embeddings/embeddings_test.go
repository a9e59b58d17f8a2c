package embeddings_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/embeddings"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/internal/nothing"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// model returns a small model with embeddings of 6 numbers.
func model(t testing.TB, seed uint64) *encoder.Model {
	t.Helper()
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 1, Heads: 3, EmbedDim: 6,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 10, VocabSize: 130, Width: 8, Layers: 1, Heads: 2, EmbedDim: 6,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(16),
	}, letters.Tokenizer{}, seed)
	check(t, err)
	return m
}

func pngOf(t testing.TB, i int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 9, 8))
	for j := range 72 {
		img.SetRGBA(j%9, j/9, color.RGBA{uint8(37 * i), uint8(5*i + 20*(j%9)), uint8(30 * (j / 9)), 255})
	}
	var b bytes.Buffer
	check(t, png.Encode(&b, img))
	return b.Bytes()
}

// files are n images with captions, of which number 3 is none, and number 5 has no caption.
func files(t testing.TB, n int) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for i := range n {
		all[fmt.Sprintf("%03d.png", i)] = pngOf(t, i)
		if i != 5 {
			all[fmt.Sprintf("%03d.txt", i)] = fmt.Appendf(nil, "№ %d", i)
		}
	}
	all["003.png"] = []byte("<html>")
	return all
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o777))
	check(t, os.WriteFile(path, data, 0o666))
	return path
}

func folder(t testing.TB, all map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "photos")
	for name, data := range all {
		write(t, filepath.Join(dir, name), data)
	}
	return dir
}

// archive writes a tar, compressed where its name says so.
func archive(t testing.TB, path string, all map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		check(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o666, Size: int64(len(all[name]))}))
		_, err := w.Write(all[name])
		check(t, err)
	}
	check(t, w.Close())
	if strings.HasSuffix(path, ".gz") {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, err := z.Write(b.Bytes())
		check(t, err)
		check(t, z.Close())
		b = zipped
	}
	return write(t, path, b.Bytes())
}

// embed embeds a shard under a name.
func embed(t testing.TB, ctx context.Context, dir string, m *encoder.Model, name, from string, o embeddings.Options) (embeddings.Report, error) {
	t.Helper()
	set, err := dataset.Open(from, nil)
	check(t, err)
	defer set.Close()
	w, err := embeddings.New(dir, m, o)
	if err != nil {
		return embeddings.Report{}, err
	}
	return w.Embed(ctx, name, from, set, nil)
}

// contents are all files below a folder.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(name)] = string(data)
		return err
	}))
	return all
}

func same(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("%s: files\n%q, want\n%q", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for name, data := range want {
		if got[name] != data {
			t.Errorf("%s: %s differs", what, name)
		}
	}
}

// TestFormats: every format gives back the images in order with their captions and the
// model's embeddings, halves within their rounding, and the bad image with its reason.
func TestFormats(t *testing.T) {
	m, ctx := model(t, 1), t.Context()
	from := folder(t, files(t, 12))
	for _, f := range []embeddings.Format{embeddings.ClipRetrieval, embeddings.NPY, embeddings.NPZ, embeddings.Parquet, embeddings.JSONLines} {
		for _, o := range []embeddings.Options{
			{Format: f}, {Format: f, PartSize: 5}, {Format: f, PartSize: 6, Texts: embeddings.TextsNever}, {Format: f, PartSize: 1, Precision: encoder.Float16},
		} {
			if o.Precision == encoder.Float16 && f > embeddings.NPZ {
				if _, err := embeddings.New(t.TempDir(), m, o); err == nil {
					t.Errorf("%v has halves", f)
				}
				continue
			}
			dir := t.TempDir()
			r, err := embed(t, ctx, dir, m, "", from, o)
			check(t, err)
			want := embeddings.Report{Parts: 1, Pictures: 11, Failures: 1, Embedded: 11}
			if o.PartSize > 0 {
				want.Parts = (12 + o.PartSize - 1) / o.PartSize
			}
			if r != want {
				t.Errorf("%v: got %+v, want %+v", o, r, want)
			}
			readBack(t, m, dir, from, o)
			failures := ""
			for name, data := range contents(t, dir) {
				if strings.HasPrefix(name, "failures/") {
					failures += data
				}
			}
			if !strings.HasPrefix(failures, `{"key":"003","reason":"`) || strings.Count(failures, "\n") != 1 || strings.Contains(failures, filepath.Dir(from)) {
				t.Errorf("%v: failures %s", o, failures)
			}
		}
	}
}

func readBack(t *testing.T, m *encoder.Model, dir, from string, o embeddings.Options) {
	t.Helper()
	r, err := embeddings.Open(dir)
	check(t, err)
	if !embeddings.Is(dir) || r.Dim() != 6 || r.Model() != m.Fingerprint() || r.Len() != 11 && o.Format != embeddings.JSONLines {
		t.Errorf("%v: Is %t, %d rows of %d", o, embeddings.Is(dir), r.Len(), r.Dim())
	}
	tol := 0.0
	if o.Precision == encoder.Float16 {
		tol = 1.0 / 1024 // of numbers up to 1, then of the length
	}
	i := 0
	check(t, r.Each(t.Context(), func(row embeddings.Row) error {
		if i == 3 {
			i++
		}
		caption := fmt.Sprintf("№ %d", i)
		if i == 5 {
			caption = ""
		}
		img, err := vision.DecodeFile(filepath.Join(from, fmt.Sprintf("%03d.png", i)), nil)
		check(t, err)
		e, err := m.EncodeImages(t.Context(), img)
		check(t, err)
		words, err := m.EncodeTexts(t.Context(), caption)
		check(t, err)
		if row.Fault != nil || row.Key != fmt.Sprintf("%03d", i) || row.Caption != caption || !near(row.Image, e.Data, tol) {
			t.Errorf("%v: row %d: %+v", o, i, row)
		}
		if o.Texts == embeddings.TextsNever && row.Text != nil || o.Texts != embeddings.TextsNever && !near(row.Text, words.Data, tol) {
			t.Errorf("%v: row %d: the caption's embedding is %v, want %v", o, i, row.Text, words.Data)
		}
		i++
		return nil
	}))
	if i != 12 {
		t.Errorf("%v: %d images, want 12", o, i)
	}
}

// near: reading scales to length one again, which may change the last bit.
func near(got, want []float32, tol float64) bool {
	for i := range want {
		if len(got) != len(want) || !(math.Abs(float64(got[i]-want[i])) <= tol+1.2e-7) {
			return false
		}
	}
	return true
}

// TestStoppedAnywhere: a run that is stopped again and again gives the bytes of one that is
// not, of a folder, a tar, and a stream, wherever they lie.
func TestStoppedAnywhere(t *testing.T) {
	m := model(t, 1)
	all := files(t, 40)
	o := embeddings.Options{PartSize: 7, Precision: encoder.Float16}
	for _, kind := range []string{"", "00012.tar", "00012.tar.gz"} {
		place := func() string {
			if kind == "" {
				return folder(t, all)
			}
			return archive(t, filepath.Join(t.TempDir(), kind), all)
		}
		name := ""
		if kind != "" {
			name = embeddings.ShardName(kind)
		}
		whole := t.TempDir()
		r, err := embed(t, t.Context(), whole, m, name, place(), o)
		check(t, err)
		if want := (embeddings.Report{Parts: 6, Pictures: 39, Failures: 1, Embedded: 39}); r != want {
			t.Errorf("%s: %+v, want %+v", kind, r, want)
		}
		dir := t.TempDir()
		stops := 0
		for n := 1; ; n += 3 {
			ctx, cancel := context.WithCancel(t.Context())
			from := place()
			set, err := dataset.Open(from, nil)
			check(t, err)
			w, err := embeddings.New(dir, m, o)
			check(t, err)
			r, err = w.Embed(ctx, name, from, set, func(done, _ int) {
				if done >= n {
					cancel()
				}
			})
			check(t, set.Close())
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if stops++; stops > 50 {
				t.Fatal("it never ends")
			}
		}
		if stops == 0 {
			t.Errorf("%s: it was never stopped", kind)
		}
		same(t, kind, contents(t, dir), contents(t, whole))
		if r, err = embed(t, t.Context(), dir, m, name, place(), o); err != nil || r.Skipped != 6 || r.Embedded != 0 || r.Pictures != 39 || r.Failures != 1 {
			t.Errorf("%s: once more: %+v, %v", kind, r, err)
		}
	}
}

// TestWhatIsNotWhole: a file of a part that is lost, cut or changed is made again.
func TestWhatIsNotWhole(t *testing.T) {
	m, from := model(t, 1), folder(t, files(t, 12))
	o := embeddings.Options{PartSize: 4}
	dir := t.TempDir()
	_, err := embed(t, t.Context(), dir, m, "", from, o)
	check(t, err)
	want := contents(t, dir)
	for name := range want {
		for _, data := range []string{"", want[name][:len(want[name])-1] + "x", "gone"} {
			if name == "goclip.json" || strings.HasPrefix(name, "parts/") && data != "gone" {
				continue // those are no embeddings, and an error that names them
			}
			path := filepath.Join(dir, filepath.FromSlash(name))
			if data == "gone" {
				check(t, os.Remove(path))
			} else {
				write(t, path, []byte(data))
			}
			r, err := embed(t, t.Context(), dir, m, "", from, o)
			if err != nil || r.Skipped != 2 || r.Pictures != 11 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
			same(t, name, contents(t, dir), want)
		}
	}
}

// TestNothingIsMixed: other settings, another model, a set that changed and another shard of
// the name are errors and change nothing, until the parts are to be replaced.
func TestNothingIsMixed(t *testing.T) {
	m, all := model(t, 1), files(t, 12)
	o := embeddings.Options{PartSize: 6}
	start := func() (dir, from string) {
		dir, from = t.TempDir(), folder(t, all)
		_, err := embed(t, t.Context(), dir, m, "", from, o)
		check(t, err)
		return dir, from
	}
	changed := maps.Clone(all)
	changed["012.png"] = pngOf(t, 12)
	grown := maps.Clone(all)
	for i := 12; i < 70; i++ {
		grown[fmt.Sprintf("%03d.png", i)] = pngOf(t, i)
	}
	for _, c := range []struct {
		what string
		m    *encoder.Model
		from map[string][]byte
		o    embeddings.Options
	}{
		{"part size", m, all, embeddings.Options{PartSize: 5}},
		{"format", m, all, embeddings.Options{PartSize: 6, Format: embeddings.NPZ}},
		{"type of numbers", m, all, embeddings.Options{PartSize: 6, Precision: encoder.Float16}},
		{"captions", m, all, embeddings.Options{PartSize: 6, Texts: embeddings.TextsNever}},
		{"model", model(t, 2), all, o},
		{"another set", m, changed, o},
		{"another set", m, grown, o}, // whose parts have longer numbers
	} {
		dir, from := start()
		before := contents(t, dir)
		if len(c.from) != len(all) {
			from = folder(t, c.from)
		}
		_, err := embed(t, t.Context(), dir, c.m, "", from, c.o)
		if !errors.Is(err, embeddings.ErrOther) || !strings.Contains(err.Error(), c.what) {
			t.Errorf("%s: got error %v", c.what, err)
		}
		same(t, c.what, contents(t, dir), before)
		c.o.Overwrite = true
		_, err = embed(t, t.Context(), dir, c.m, "", from, c.o)
		check(t, err)
		anew := t.TempDir()
		c.o.Overwrite = false
		_, err = embed(t, t.Context(), anew, c.m, "", from, c.o)
		check(t, err)
		same(t, c.what, contents(t, dir), contents(t, anew))
	}

	dir := t.TempDir()
	a, b := archive(t, filepath.Join(t.TempDir(), "0.tar"), all), archive(t, filepath.Join(t.TempDir(), "0.tar"), changed)
	_, err := embed(t, t.Context(), dir, m, "0", a, embeddings.Options{})
	check(t, err)
	if _, err = embed(t, t.Context(), dir, m, "0", b, embeddings.Options{}); !errors.Is(err, embeddings.ErrOther) {
		t.Errorf("another shard of the name: %v", err)
	}
}

// TestNotTheirs: a folder of something else is never written into, nor is one of the set.
func TestNotTheirs(t *testing.T) {
	m, from := model(t, 1), folder(t, files(t, 6))
	before := contents(t, from)
	for _, dir := range []string{from, filepath.Join(from, "embeddings")} {
		for _, overwrite := range []bool{false, true} {
			if _, err := embed(t, t.Context(), dir, m, "", from, embeddings.Options{Overwrite: overwrite}); err == nil {
				t.Errorf("%s was written into", dir)
			}
		}
	}
	same(t, "the set", contents(t, from), before)

	// What the user put beside the parts stays when they are replaced.
	dir := t.TempDir()
	_, err := embed(t, t.Context(), dir, m, "", from, embeddings.Options{})
	check(t, err)
	note := write(t, filepath.Join(dir, "img_emb", "README"), []byte("mine"))
	_, err = embed(t, t.Context(), dir, m, "", from, embeddings.Options{Overwrite: true, PartSize: 2})
	check(t, err)
	if data, err := os.ReadFile(note); string(data) != "mine" {
		t.Errorf("the user's file is %q, %v", data, err)
	}
}

func TestPartNames(t *testing.T) {
	for _, c := range []struct {
		name     string
		k, count int
		want     string
	}{
		{"", 0, 1, "0"}, {"", 3, 10, "03"}, {"", 7, -1, "00007"}, {"00012", 0, 1, "00012"}, {"00012", 1, 2, "00012_1"}, {"a", 0, -1, "a_00000"},
	} {
		if got := embeddings.PartName(c.name, c.k, c.count); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
	for shard, want := range map[string]string{"a/00012.tar": "00012", "train-00000-of-00002.parquet": "train-00000-of-00002", "x/y.TAR.GZ": "y", `c:\d\e.tgz`: "e", "00001": "00001", "v1.5": "v1.5", ".tar": ".tar"} {
		if got := embeddings.ShardName(shard); got != want {
			t.Errorf("%s: got %q, want %q", shard, got, want)
		}
	}
}

// TestNothing: nothing gives errors, not panics.
func TestNothing(t *testing.T) {
	var w *embeddings.Writer
	var r *embeddings.Reader
	for _, p := range nothing.Panics(embeddings.New, embeddings.Open, embeddings.Is, embeddings.Free, embeddings.ShardName, embeddings.PartName, w, r, new(embeddings.Writer), new(embeddings.Reader)) {
		t.Error(p)
	}
}
