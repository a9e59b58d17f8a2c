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
	x, _, err := read(f, nil, true)
	return x, err
}

// Added are the embeddings of an index that was not opened from a file.
func Added(x *Index) []float32 { return x.added }

// Scored is of how many rows searches have computed the score after looking at their bytes.
func Scored(x *Index) int64 { return x.scored.Load() }
