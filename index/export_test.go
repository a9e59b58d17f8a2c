package index

import (
	"bytes"
	"fmt"

	"github.com/goclip/goclip/internal/safetensors"
)

// HeaderSum lets tests write files whose header is right and whose parts are not.
func HeaderSum(version, model string, shape []int) string {
	return (&head{version: version, model: model}).headerSum(shape)
}

// Parse is Open of a file's bytes.
func Parse(data []byte) (*Index, error) {
	f, err := safetensors.OpenReader(bytes.NewReader(data), int64(len(data)), "index")
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return read(f, nil, true)
}

// Rows are the embeddings of an index that was not opened from a file.
func Rows(x *Index) []float32 { return x.added }
