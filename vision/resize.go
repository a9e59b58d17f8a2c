package vision

import (
	"fmt"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/pillow"
)

// Resize is how an image of another shape is fitted to a size. As text it is
// open_clip's resize_mode: shortest, longest or squash.
type Resize uint8

// The resize modes.
const (
	ResizeShortest = Resize(pillow.Shortest) // scaled to cover the size, and cut from the centre
	ResizeLongest  = Resize(pillow.Longest)  // scaled to fit into the size, and padded
	ResizeSquash   = Resize(pillow.Squash)   // stretched to the size, whatever its shape
)

func resizeNames() map[Resize]string {
	return map[Resize]string{ResizeShortest: "shortest", ResizeLongest: "longest", ResizeSquash: "squash"}
}

// String returns the name of r.
func (r Resize) String() string { return enum.String(r, resizeNames()) }

// MarshalText returns the name of r.
func (r Resize) MarshalText() ([]byte, error) { return enum.Marshal(r, resizeNames()) }

// UnmarshalText parses a name; an unknown one is an error and leaves r unchanged.
func (r *Resize) UnmarshalText(text []byte) error {
	if err := enum.Unmarshal(r, text, resizeNames()); err != nil {
		return fmt.Errorf("vision: Resize %w", err)
	}
	return nil
}

// Interpolation is the filter that resizes, with Pillow's anti-aliasing. As text
// it is bicubic or bilinear.
type Interpolation uint8

// The interpolation filters.
const (
	Bicubic  = Interpolation(pillow.Bicubic) // a = −0.5
	Bilinear = Interpolation(pillow.Bilinear)
)

func interpolationNames() map[Interpolation]string {
	return map[Interpolation]string{Bicubic: "bicubic", Bilinear: "bilinear"}
}

// String returns the name of i.
func (i Interpolation) String() string { return enum.String(i, interpolationNames()) }

// MarshalText returns the name of i.
func (i Interpolation) MarshalText() ([]byte, error) { return enum.Marshal(i, interpolationNames()) }

// UnmarshalText parses a name; an unknown one is an error and leaves i unchanged.
func (i *Interpolation) UnmarshalText(text []byte) error {
	if err := enum.Unmarshal(i, text, interpolationNames()); err != nil {
		return fmt.Errorf("vision: Interpolation %w", err)
	}
	return nil
}
