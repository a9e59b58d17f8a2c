package vision

import (
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/goclip/goclip/internal/pillow"
)

// Len is how many numbers the preprocessed image takes: 3·H·W, or those of MaxPatches
// patches; 0 for a nil Preprocess.
func (p *Preprocess) Len() int {
	if p == nil {
		return 0
	}
	if p.MaxPatches > 0 {
		return p.MaxPatches * 3 * p.PatchSize * p.PatchSize
	}
	return 3 * p.Size[0] * p.Size[1]
}

// validatePatches is Validate where images become patches.
func (p *Preprocess) validatePatches() error {
	switch {
	case p.PatchSize < 1 || p.MaxPatches < 1 || p.PatchSize > 1<<10 || p.MaxPatches > pillow.DefaultMaxPixels/(p.PatchSize*p.PatchSize):
		return fmt.Errorf("vision: preprocess: MaxPatches %d of PatchSize %d, want positive numbers and at most %d pixels together",
			p.MaxPatches, p.PatchSize, pillow.DefaultMaxPixels)
	case p.Size != [2]int{}:
		return fmt.Errorf("vision: preprocess: Size %v beside MaxPatches, want none: each image has a size of its own", p.Size)
	case p.Resize != ResizeSquash:
		return fmt.Errorf("vision: preprocess: Resize %v beside MaxPatches, want %v", p.Resize, ResizeSquash)
	}
	return nil
}

// Grid returns the rows and columns of patches that an image of the given height and width
// becomes: as many as fit into MaxPatches at its shape, zeros where there are none. It is
// what transformers' Siglip2ImageProcessor computes.
func (p *Preprocess) Grid(height, width int) [2]int {
	if p == nil || p.PatchSize < 1 || p.MaxPatches < 1 || height < 1 || width < 1 {
		return [2]int{}
	}
	patches := func(side int, scale float64) int {
		return max(1, int(math.Ceil(float64(side)*scale/float64(p.PatchSize))))
	}
	low, high := 1e-6, 100.0
	for high-low >= 1e-5 {
		scale := (low + high) / 2
		if patches(height, scale) <= p.MaxPatches/patches(width, scale) {
			low = scale
		} else {
			high = scale
		}
	}
	return [2]int{patches(height, low), patches(width, low)}
}

// sized is the preprocessing of one image, of the size that it gets.
func (p *Preprocess) sized(img image.Image) (*Preprocess, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if p.MaxPatches == 0 {
		return p, nil
	}
	if img == nil {
		return nil, errors.New("vision: preprocess: the image is nil")
	}
	b := img.Bounds()
	if b.Empty() {
		return nil, fmt.Errorf("vision: preprocess: an image of %d×%d pixels", b.Dx(), b.Dy())
	}
	one, grid := *p, p.Grid(b.Dy(), b.Dx())
	one.PatchSize, one.MaxPatches, one.Size = 0, 0, [2]int{grid[0] * p.PatchSize, grid[1] * p.PatchSize}
	return &one, nil
}

// Patches writes the normalised patches of img to dst, (MaxPatches, P·P·3), each as its
// pixels' values in the order of row, column and channel, and zeros behind them. It
// returns their grid. Where MaxPatches is 0, or dst has another length, it is an error.
func (p *Preprocess) Patches(dst []float32, img image.Image) (grid [2]int, err error) {
	img = p.seen(img)
	one, err := p.sized(img)
	if err != nil {
		return grid, err
	}
	if p.MaxPatches == 0 {
		return grid, errors.New("vision: preprocess: MaxPatches is 0, so there are no patches")
	}
	if len(dst) != p.Len() {
		return grid, fmt.Errorf("vision: preprocess: dst has %d elements, want %d·%d·%d·3", len(dst), p.MaxPatches, p.PatchSize, p.PatchSize)
	}
	h, w, side := one.Size[0], one.Size[1], p.PatchSize
	pixels := make([]float32, 3*h*w)
	if err := one.Image(pixels, img); err != nil {
		return grid, err
	}
	grid = [2]int{h / side, w / side}
	clear(dst)
	i := 0
	for patch := range grid[0] * grid[1] {
		for t := range side * side {
			at := (patch/grid[1]*side+t/side)*w + patch%grid[1]*side + t%side
			for c := range 3 {
				dst[i] = pixels[c*h*w+at]
				i++
			}
		}
	}
	return grid, nil
}
