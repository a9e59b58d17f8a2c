package pillow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
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

// TestReadInOnePiece: what can tell its size is read into memory of that size, with a
// context, too.
func TestReadInOnePiece(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	want := make([]byte, 1<<20)
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, r := range []io.Reader{f, bytes.NewReader(want)} {
		got, err := readAll(t.Context(), r, DefaultMaxBytes)
		if most := len(want) + 1<<14; err != nil || !bytes.Equal(got, want) || cap(got) > most {
			t.Errorf("%T: %d bytes in memory for %d, %v, want %d in at most %d", r, len(got), cap(got), err, len(want), most)
		}
	}
}
