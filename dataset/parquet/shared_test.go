package parquet_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/arrow"
	"github.com/goclip/goclip/dataset/parquet"
	"github.com/goclip/goclip/internal/golden"
)

// TestWhatOthersWrite opens files of datasets and img2dataset.
func TestWhatOthersWrite(t *testing.T) {
	formats := []dataset.Format{parquet.Format{}, arrow.Format{}}
	for _, c := range []struct {
		name            string
		shape           dataset.Shape
		samples         int // all of which can be read
		captions, notes int
	}{
		{"hf_datasets/train-00000-of-00001.parquet", dataset.Containers, 10, 20, 0},
		{"hf_datasets/saved", dataset.Containers, 10, 20, 0},
		{"hf_datasets/saved_dict", dataset.Containers, 10, 20, 0},
		{"img2dataset_parquet", dataset.Containers, 31, 30, 6},
		{"img2dataset_webdataset", dataset.Shards, 31, 30, 6},
		{"img2dataset_files", dataset.Pairs, 31, 30, 6},
	} {
		set, err := dataset.Open(filepath.Join(golden.Shared(t, "interchange"), filepath.FromSlash(c.name)), &dataset.Options{Formats: formats})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		defer set.Close()
		x, ok := set.Indexed()
		if !ok || x.Len() != c.samples || set.Seen().Shape != c.shape {
			t.Errorf("%s: %v, want %d samples of %v", c.name, set.Seen(), c.samples, c.shape)
		}
		captions := 0
		for i := range x.Len() {
			s := x.At(i)
			captions += len(s.Captions)
			if p, err := s.Picture(); err != nil || p.Image.Bounds().Empty() {
				t.Errorf("%s: %s: %v", c.name, s.Key, err)
			}
		}
		if captions != c.captions || len(set.Notes()) != c.notes {
			t.Errorf("%s: %d captions and %d failed downloads, want %d and %d", c.name, captions, len(set.Notes()), c.captions, c.notes)
		}
		if len(set.Notes()) > 0 && !strings.Contains(set.Notes()[0].Reason, "failed_to_") {
			t.Errorf("%s: %v", c.name, set.Notes()[0])
		}
	}
}
