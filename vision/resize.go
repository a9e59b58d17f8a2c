package vision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/pillow"
)

// Resize is how a picture of another shape is fitted to a size. As text it is
// open_clip's resize_mode: shortest, longest or squash.
type Resize uint8

// The ways to fit a picture.
const (
	ResizeShortest = Resize(pillow.Shortest) // scaled to cover the size, and cut from the centre
	ResizeLongest  = Resize(pillow.Longest)  // scaled to fit into the size, and padded
	ResizeSquash   = Resize(pillow.Squash)   // stretched to the size, whatever its shape
)

var resizeWords = []string{ResizeShortest: "shortest", ResizeLongest: "longest", ResizeSquash: "squash"}

// String returns the word for r.
func (r Resize) String() string { return word("Resize", int(r), resizeWords) }

// MarshalText returns the word for r.
func (r Resize) MarshalText() ([]byte, error) { return marshalWord("Resize", int(r), resizeWords) }

// UnmarshalText reads a word. One that it does not know leaves r as it is.
func (r *Resize) UnmarshalText(text []byte) error {
	i, err := unmarshalWord("Resize", text, resizeWords)
	if err == nil {
		*r = Resize(i)
	}
	return err
}

// Interpolation is the filter that resizes, with Pillow's anti-aliasing. As text
// it is bicubic or bilinear.
type Interpolation uint8

// The filters.
const (
	Bicubic  = Interpolation(pillow.Bicubic) // a = −0.5
	Bilinear = Interpolation(pillow.Bilinear)
)

var interpolationWords = []string{Bicubic: "bicubic", Bilinear: "bilinear"}

// String returns the word for i.
func (i Interpolation) String() string { return word("Interpolation", int(i), interpolationWords) }

// MarshalText returns the word for i.
func (i Interpolation) MarshalText() ([]byte, error) {
	return marshalWord("Interpolation", int(i), interpolationWords)
}

// UnmarshalText reads a word. One that it does not know leaves i as it is.
func (i *Interpolation) UnmarshalText(text []byte) error {
	n, err := unmarshalWord("Interpolation", text, interpolationWords)
	if err == nil {
		*i = Interpolation(n)
	}
	return err
}

// word returns words[i], or the number where it has no word.
func word(kind string, i int, words []string) string {
	if i < len(words) {
		return words[i]
	}
	return fmt.Sprintf("%s(%d)", kind, i)
}

func marshalWord(kind string, i int, words []string) ([]byte, error) {
	if i < len(words) {
		return []byte(words[i]), nil
	}
	return nil, unknownWord(kind, word(kind, i, words), words)
}

func unmarshalWord(kind string, text []byte, words []string) (int, error) {
	if i := slices.Index(words, string(text)); i >= 0 {
		return i, nil
	}
	return 0, unknownWord(kind, fmt.Sprintf("%q", text), words)
}

func unknownWord(kind, got string, words []string) error {
	last := len(words) - 1
	return fmt.Errorf("vision: %s %s, want %s or %s", kind, got, strings.Join(words[:last], ", "), words[last])
}
