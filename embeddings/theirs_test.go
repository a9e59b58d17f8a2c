package embeddings_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/embeddings"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/golden"
)

// all reads everything that a path has.
func all(t *testing.T, path string) []embeddings.Row {
	t.Helper()
	r, err := embeddings.Open(path)
	check(t, err)
	var rows []embeddings.Row
	check(t, r.Each(t.Context(), func(row embeddings.Row) error {
		row.Image, row.Text = slices.Clone(row.Image), slices.Clone(row.Text)
		rows = append(rows, row)
		return nil
	}))
	return rows
}

func cosine(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// TestWhatOthersWrite: files of clip-retrieval and datasets are known for embeddings, and
// other sets are not.
func TestWhatOthersWrite(t *testing.T) {
	for _, c := range []struct {
		name         string
		n, dim       int
		key, caption string
		texts        bool
	}{
		{"clip_retrieval_webdataset", 31, 32, "0000002", "a green stripes on a blue background", true},
		{"clip_retrieval_webdataset/img_emb", 31, 32, "", "", false},
		{"clip_retrieval_webdataset/img_emb/img_emb_1.npy", 13, 32, "", "", false},
		{"clip_retrieval_files", 31, 32, "", "", false},
		{"hf_datasets/embeddings-00000-of-00001.parquet", 10, 16, "", "", false},
	} {
		path := golden.Shared(t, "interchange", filepath.FromSlash(c.name))
		rows := all(t, path)
		if !embeddings.Is(path) || len(rows) != c.n || len(rows[0].Image) != c.dim || c.texts != (len(rows[0].Text) > 0) {
			t.Fatalf("%s: %d rows, the first %+v", c.name, len(rows), rows[0])
		}
		if c.key != "" && (rows[0].Key != c.key || rows[0].Caption != c.caption) {
			t.Errorf("%s: the first is %q, %q", c.name, rows[0].Key, rows[0].Caption)
		}
		for _, row := range rows {
			if row.Fault != nil || !(math.Abs(cosine(row.Image, row.Image)-1) <= 1e-6) {
				t.Errorf("%s: row %d: length %g, %v", c.name, row.Number, math.Sqrt(cosine(row.Image, row.Image)), row.Fault)
			}
		}
	}
	for _, name := range []string{"img2dataset_parquet", "img2dataset_files", "img2dataset_webdataset", "hf_datasets/train-00000-of-00001.parquet", "hf_datasets/saved",
		"hf_datasets/raw", "flickr8k", "coco", "list.parquet", "clip_retrieval_webdataset/metadata"} {
		if embeddings.Is(golden.Shared(t, "interchange", filepath.FromSlash(name))) {
			t.Errorf("%s is taken for embeddings", name)
		}
	}
}

// TestSetsAreNoEmbeddings: images that numbers lie beside stay images.
func TestSetsAreNoEmbeddings(t *testing.T) {
	vectors := t.TempDir()
	m := model(t, 1)
	_, err := embed(t, t.Context(), vectors, m, "", folder(t, files(t, 6)), embeddings.Options{Format: embeddings.JSONLines})
	check(t, err)
	lines, err := os.ReadFile(filepath.Join(vectors, "embeddings_0.jsonl"))
	check(t, err)
	boxes := []byte(`{"file_name": "000.png", "bbox": [1, 2, 3, 4]}` + "\n")
	for what, add := range map[string]func(dir string){
		"features beside class folders": func(dir string) {
			write(t, filepath.Join(dir, "cat", "1.png"), pngOf(t, 1))
			write(t, filepath.Join(dir, "features.npy"), nil)
		},
		"features beside images": func(dir string) {
			write(t, filepath.Join(dir, "1.png"), pngOf(t, 1))
			write(t, filepath.Join(dir, "features.npz"), nil)
		},
		"a table with boxes": func(dir string) { write(t, filepath.Join(dir, "metadata.jsonl"), boxes) },
		"a table with vectors of images": func(dir string) {
			write(t, filepath.Join(dir, "000.png"), pngOf(t, 1))
			write(t, filepath.Join(dir, "metadata.jsonl"), lines)
		},
	} {
		dir := t.TempDir()
		add(dir)
		if embeddings.Is(dir) {
			t.Errorf("%s: taken for embeddings", what)
		}
	}
	if !embeddings.Is(filepath.Join(vectors, "embeddings_0.jsonl")) || embeddings.Is(write(t, filepath.Join(t.TempDir(), "metadata.jsonl"), boxes)) {
		t.Error("a file of vectors is not told from one of boxes")
	}
}

// TestKnnService: the nearest of clip-retrieval's service are the nearest in what we read.
func TestKnnService(t *testing.T) {
	rows := all(t, golden.Shared(t, "interchange", "clip_retrieval_webdataset"))
	var request struct {
		Embedding []float32 `json:"embedding_input"`
	}
	var hits []struct {
		ID         int     `json:"id"`
		Key        string  `json:"image_path"`
		Caption    *string `json:"caption"`
		Similarity float64 `json:"similarity"`
	}
	for name, v := range map[string]any{"image.request.json": &request, "image.response.json": &hits} {
		data, err := os.ReadFile(golden.Shared(t, "interchange", "knn_service", name))
		check(t, err)
		check(t, json.Unmarshal(data, v))
	}
	if len(hits) < 4 {
		t.Fatal("too few hits")
	}
	for _, h := range hits {
		// Theirs are halves that are not quite of length one, and so is the query.
		if got := cosine(rows[h.ID].Image, request.Embedding); !(math.Abs(got-h.Similarity) <= 2e-3) {
			t.Errorf("row %d: cosine %.4f, want %.4f", h.ID, got, h.Similarity)
		}
		if h.Key != "" && (rows[h.ID].Key != h.Key || rows[h.ID].Caption != *h.Caption) {
			t.Errorf("row %d: %q %q, want %q %q", h.ID, rows[h.ID].Key, rows[h.ID].Caption, h.Key, *h.Caption)
		}
	}
}

// TestAsClipRetrieval: our embeddings of the images that clip-retrieval embedded with the same
// model are its own. It cropped them as open_clip does, rounding half a pixel to even, we as
// transformers, whose layout the model has, rounding down: where that differs, for an excess of 3
// more than a multiple of 4, embeddings do.
func TestAsClipRetrieval(t *testing.T) {
	m, err := encoder.Load(golden.Fixtures(t, "checkpoints", "hf_fullvocab_f16"), nil)
	check(t, err)
	defer m.Close()
	theirs, beside := map[string][]float32{}, map[string]bool{}
	for _, row := range all(t, golden.Shared(t, "interchange", "clip_retrieval_webdataset")) {
		theirs[row.Key] = row.Image
	}
	dir, n := t.TempDir(), 0
	for i := range 3 {
		from := golden.Shared(t, "interchange", "img2dataset_webdataset", fmt.Sprintf("%05d.tar", i))
		r, err := embed(t, t.Context(), dir, m, embeddings.ShardName(from), from, embeddings.Options{Precision: encoder.Float16})
		check(t, err)
		n += r.Pictures
		set, err := dataset.Open(from, nil)
		check(t, err)
		for s, err := range set.Samples(t.Context(), dataset.Order{}) {
			check(t, err)
			p, err := s.Picture()
			check(t, err)
			size := p.Image.Bounds().Size()
			beside[s.Key] = max(size.X-size.Y, size.Y-size.X)%4 == 3
		}
		check(t, set.Close())
	}
	compared := 0
	for _, row := range all(t, dir) {
		want := theirs[row.Key]
		if beside[row.Key] {
			continue
		}
		compared++
		if got := cosine(row.Image, want); want == nil || !(got >= 1-2e-4) {
			t.Errorf("%s: cosine %.6f with clip-retrieval's embedding", row.Key, got)
		}
	}
	if n != len(theirs) || compared < 20 {
		t.Errorf("%d images, of which %d were compared, clip-retrieval has %d", n, compared, len(theirs))
	}
}

// TestTables: names and captions are found under the names that programs give them; rows that
// cannot be used are told apart.
func TestTables(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a.jsonl"), []byte("\ufeff"+`{"id": 7, "text": "x", "vector": [3, 4], "size": [10, 10, 3]}
{"id": 8, "vector": [0, 0]}

{"id": 9, "vector": [1, 2, 3]}
{"id": 10}
{"id": 11, "vector": null}
{"id": 12, "vector": [1e39, 0]}
`))
	rows := all(t, path)
	if len(rows) != 6 || rows[0].Key != "7" || rows[0].Caption != "x" || !slices.Equal(rows[0].Image, []float32{0.6, 0.8}) || rows[0].Fault != nil {
		t.Fatalf("got %+v", rows)
	}
	for _, row := range rows[1:] {
		if row.Fault == nil || row.Key == "" {
			t.Errorf("row %d, %q: %v", row.Number, row.Key, row.Image)
		}
	}
	for text, want := range map[string]string{
		"":                                    "no embeddings",
		`{"a": "b"}`:                          "none is a list of numbers",
		`{"a": [1], "b": [2]}`:                "want one called",
		`{"vector": [1], "vector": [2]`:       "line 1",
		"[1, 2]":                              "line 1",
		strings.Repeat(" ", 70<<20) + `{"a":`: "too long",
	} {
		path := write(t, filepath.Join(dir, "wrong.jsonl"), []byte(text))
		if _, err := embeddings.Open(path); err == nil || text != "" && !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: got error %v, want %s", text, err, want)
		}
	}
}

// TestWhatDoesNotFit: files of a folder that do not belong together are errors that say why.
func TestWhatDoesNotFit(t *testing.T) {
	m := model(t, 1)
	from := folder(t, files(t, 12))
	for want, spoil := range map[string]func(dir string){
		"1 files in metadata for 2 in img_emb": func(dir string) { os.Remove(filepath.Join(dir, "metadata", "metadata_0.parquet")) },
		"metadata_0.parquet has": func(dir string) {
			os.Rename(filepath.Join(dir, "metadata", "metadata_1.parquet"), filepath.Join(dir, "metadata", "metadata_0.parquet"))
			data, _ := os.ReadFile(filepath.Join(dir, "metadata", "metadata_0.parquet"))
			write(t, filepath.Join(dir, "metadata", "metadata_1.parquet"), data)
		},
		"bytes of elements": func(dir string) { os.Truncate(filepath.Join(dir, "img_emb", "img_emb_1.npy"), 150) },
		"want one of them":  func(dir string) { write(t, filepath.Join(dir, "metadata", "x.jsonl"), []byte("{}")) },
		"text_emb_0.npy has": func(dir string) {
			os.Rename(filepath.Join(dir, "text_emb", "text_emb_1.npy"), filepath.Join(dir, "text_emb", "text_emb_0.npy"))
			data, _ := os.ReadFile(filepath.Join(dir, "text_emb", "text_emb_0.npy"))
			write(t, filepath.Join(dir, "text_emb", "text_emb_1.npy"), data)
		},
	} {
		dir := t.TempDir()
		_, err := embed(t, t.Context(), dir, m, "", from, embeddings.Options{PartSize: 8})
		check(t, err)
		spoil(dir)
		if _, err := embeddings.Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	// Rows of JSON lines are counted when they are read.
	dir := t.TempDir()
	_, err := embed(t, t.Context(), dir, m, "", from, embeddings.Options{Format: embeddings.NPY})
	check(t, err)
	for _, lines := range []int{3, 30} {
		write(t, filepath.Join(dir, "metadata", "metadata_0.jsonl"), []byte(strings.Repeat("{}\n", lines)))
		r, err := embeddings.Open(dir)
		check(t, err)
		if err := r.Each(t.Context(), func(embeddings.Row) error { return nil }); err == nil || !strings.Contains(err.Error(), "rows") {
			t.Errorf("%d lines: got error %v", lines, err)
		}
	}
	mixed := t.TempDir()
	write(t, filepath.Join(mixed, "a.npy"), nil)
	write(t, filepath.Join(mixed, "b.jsonl"), nil)
	if _, err := embeddings.Open(mixed); err == nil || !strings.Contains(err.Error(), "several kinds") {
		t.Errorf("got error %v", err)
	}
}
