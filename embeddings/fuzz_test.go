package embeddings

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzNPZ: damaged archives give errors.
func FuzzNPZ(f *testing.F) {
	r := &rows{keys: []string{"a", "ß"}, captions: []string{"", "x"}, images: []float32{1, 2, 3, 4}, texts: []float32{1, 0, 0, 1}, dim: 2}
	for _, half := range []bool{false, true} {
		var b bytes.Buffer
		if err := r.writeNPZ(&b, half); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readNPZ(bytes.NewReader(data), int64(len(data)), func(image, text, keys, captions *array) (err error) {
			var row []float32
			for range min(image.Shape[0], 1000) {
				if row, err = image.next(row); err != nil {
					return err
				}
				if keys != nil {
					if _, err := keys.ReadText(keys.r); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

// FuzzJSONLines: whatever a line is, it gives a record or an error.
func FuzzJSONLines(f *testing.F) {
	f.Add([]byte(`{"id": 7, "vector": [3, 4]}` + "\n" + `{"id": "x", "vector": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := eachLine(bytes.NewReader(data), func(one record) error {
			lists, vectors := one.lists()
			if image, _, err := vectorColumns(lists); err == nil && len(vectors[image]) == 0 {
				t.Fatalf("%q has no numbers", image)
			}
			one.text(choose(one.names(), keyNames()))
			return nil
		})
		if errors.Is(err, errStop) {
			t.Fatal(err)
		}
	})
}
