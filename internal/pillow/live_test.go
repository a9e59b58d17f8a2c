package pillow

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// TestContext: a context that ends while a file is decoded is the error, in every reader
// that has more to do than to copy bytes.
func TestContext(t *testing.T) {
	for name, data := range encoded(t) {
		switch name {
		case "png", "jpeg", "gif", "tiff", "webp":
		default:
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		limit := Limits{Context: ctx}
		if _, err := DecodeBytes(data, limit); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cancel()
		if img, err := DecodeBytes(data, limit); !errors.Is(err, context.Canceled) || img != nil {
			t.Errorf("%s: %v, %v, want the context's error", name, img, err)
		}
		if _, err := Decode(bytes.NewReader(data), limit); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: reading: %v, want the context's error", name, err)
		}
	}
}
