package dataset

import (
	"image"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// decodeSome checks that every stride-th sample gives an image.
func decodeSome(t *testing.T, src *Indexed, stride int) {
	t.Helper()
	for i := 0; i < src.Len(); i += stride {
		if _, err := src.At(i).Pair(0); err != nil {
			t.Fatalf("sample %d (%s): %v", i, src.At(i).Key, err)
		}
	}
}

func mustOpen(t *testing.T, name string, o *Options) (*Set, *Indexed) {
	t.Helper()
	set, err := Open(name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	index, ok := set.Indexed()
	if !ok {
		t.Fatalf("%s is a stream, want an indexed set", name)
	}
	return set, index
}

func TestOpenCIFARTar(t *testing.T) {
	set, index := mustOpen(t, golden.Data(t, "cifar10", "train.tar"), nil)
	count := map[string]int{}
	for i := range index.Len() {
		count[index.At(i).Label]++
	}
	if index.Len() != 10000 || len(count) != 10 || len(set.Classes()) != 10 {
		t.Fatalf("%d samples of %d classes, want 10000 of 10", index.Len(), len(count))
	}
	for label, n := range count {
		if n != 1000 {
			t.Errorf("%d samples of %s, want 1000", n, label)
		}
	}
	first := index.At(0)
	if first.Key != "train/airplane/0000.jpg" || first.Words()[0] != "a photo of a airplane" {
		t.Errorf("first sample is %s, %q", first.Key, first.Words())
	}
	p, err := first.Pair(0)
	if err != nil || p.Image.Bounds() != image.Rect(0, 0, 32, 32) {
		t.Errorf("first image: %v, %v", p.Image, err)
	}
	decodeSome(t, index, 97)
}

func TestOpenFlickrCSV(t *testing.T) {
	_, index := mustOpen(t, golden.Data(t, "captions", "train.csv"), nil)
	if index.Len() != 6000 {
		t.Fatalf("%d samples, want 6000", index.Len())
	}
	for i := range index.Len() {
		if s := index.At(i); len(s.Captions) != 5 || s.Label != "" {
			t.Fatalf("sample %s has %d captions and label %q, want 5 and none", s.Key, len(s.Captions), s.Label)
		}
	}
	decodeSome(t, index, 211)
}

func TestOpenEmojiCSV(t *testing.T) {
	_, index := mustOpen(t, golden.Data(t, "emoji", "train.csv"), nil)
	if index.Len() != 2570 {
		t.Fatalf("%d samples, want 2570", index.Len())
	}
	decodeSome(t, index, 61)
	if got := index.At(10).Captions[0]; !strings.HasPrefix(got, "flag, Ascension") {
		t.Errorf("caption 10 is %q, want the comma in quotes kept", got)
	}
}
