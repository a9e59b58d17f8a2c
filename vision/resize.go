package vision

import (
	"fmt"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/pillow"
)

// Resize is how an image of another shape is fitted to a size. As text it is
// open_clip's resize_mode: shortest, longest or squash; or none.
type Resize uint8

// The resize modes.
const (
	ResizeShortest = Resize(pillow.Shortest) // scaled to cover the size, and cut from the centre
	ResizeLongest  = Resize(pillow.Longest)  // scaled to fit into the size, and padded
	ResizeSquash   = Resize(pillow.Squash)   // stretched to the size, whatever its shape
	ResizeNone     = Resize(pillow.Unscaled) // cut from the centre, or padded, as it is
)

func resizeNames() map[Resize]string {
	return map[Resize]string{ResizeShortest: "shortest", ResizeLongest: "longest", ResizeSquash: "squash", ResizeNone: "none"}
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
	Lanczos  = Interpolation(pillow.Lanczos) // three lobes
	Nearest  = Interpolation(pillow.Nearest) // without anti-aliasing
	Box      = Interpolation(pillow.Box)
	Hamming  = Interpolation(pillow.Hamming)
)

func interpolationNames() map[Interpolation]string {
	return map[Interpolation]string{Bicubic: "bicubic", Bilinear: "bilinear", Lanczos: "lanczos", Nearest: "nearest", Box: "box", Hamming: "hamming"}
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

// Steps says whose preprocessing is followed, in the order of its steps and in its
// rounding.
type Steps uint8

const (
	// StepsOpenCLIP: an image is scaled as the kind that it is, and becomes RGB at the end;
	// the centre is rounded half to even. So openai/CLIP and open_clip do, with torchvision.
	StepsOpenCLIP Steps = iota
	// StepsTransformers: an image becomes RGB first, on white where it is transparent; the
	// centre is rounded down. So transformers 5 does.
	StepsTransformers
)

func stepsNames() map[Steps]string {
	return map[Steps]string{StepsOpenCLIP: "open_clip", StepsTransformers: "transformers"}
}

// String returns the name of s.
func (s Steps) String() string { return enum.String(s, stepsNames()) }

// MarshalText returns the name of s.
func (s Steps) MarshalText() ([]byte, error) { return enum.Marshal(s, stepsNames()) }

// UnmarshalText parses a name; an unknown one is an error and leaves s unchanged.
func (s *Steps) UnmarshalText(text []byte) error {
	if err := enum.Unmarshal(s, text, stepsNames()); err != nil {
		return fmt.Errorf("vision: Steps %w", err)
	}
	return nil
}

// Passes is in which order an image is scaled along its rows and along its columns. Bytes
// are rounded between the two, so that the order can be seen with Bicubic and Lanczos: on
// ordinary images by up to 6 of 255, on others by up to 22.
type Passes uint8

const (
	// PassesRows: rows first, always. So torchvision does, and Pillow up to version 12, with
	// which the published numbers were made.
	PassesRows Passes = iota
	// PassesPillow13: as Pillow 13, which scales columns first where the image gets lower,
	// and by more than twice as many rows as it gets narrower by columns.
	PassesPillow13
)

func passesNames() map[Passes]string {
	return map[Passes]string{PassesRows: "rows", PassesPillow13: "pillow13"}
}

// String returns the name of p.
func (p Passes) String() string { return enum.String(p, passesNames()) }

// MarshalText returns the name of p.
func (p Passes) MarshalText() ([]byte, error) { return enum.Marshal(p, passesNames()) }

// UnmarshalText parses a name; an unknown one is an error and leaves p unchanged.
func (p *Passes) UnmarshalText(text []byte) error {
	if err := enum.Unmarshal(p, text, passesNames()); err != nil {
		return fmt.Errorf("vision: Passes %w", err)
	}
	return nil
}
