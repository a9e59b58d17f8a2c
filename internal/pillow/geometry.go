package pillow

import (
	"errors"
	"fmt"
	"image"
	"math"
)

// axis places an image on the result along one direction. Of the image
// scaled from in to scaled pixels, the count pixels from first on are seen;
// they begin at pixel pad of the result, whose length is size.
type axis struct {
	in, scaled   int
	first, count int
	pad, size    int
}

// scales reports whether the image's side changes.
func (a axis) scales() bool { return a.scaled != a.in }

// Shape returns the height and width of what Render makes of an image.
func (f Fit) Shape(img image.Image) (height, width int, err error) {
	if img == nil {
		return 0, 0, errors.New("pillow: the image is nil")
	}
	size := img.Bounds().Size()
	rows, cols, err := f.place(size.Y, size.X)
	if err != nil {
		return 0, 0, fmt.Errorf("pillow: %w", err)
	}
	return rows.size, cols.size, nil
}

// place returns where an image of the given size lands.
func (f Fit) place(height, width int) (rows, cols axis, err error) {
	if err := checkImage(height, width); err != nil {
		return rows, cols, err
	}
	if f.Transformers {
		rows, cols = f.transformers(height, width)
	} else {
		rows, cols = f.openCLIP(height, width)
	}
	h, w := rows.size, cols.size
	switch {
	case h < 1 || w < 1 || h > MaxSide || w > MaxSide || h > DefaultMaxPixels/w:
		return rows, cols, fmt.Errorf("a size of %d×%d pixels, want 1×1 to %d pixels", w, h, DefaultMaxPixels)
	case rows.scaled < 1 || cols.scaled < 1:
		return rows, cols, fmt.Errorf("an image of %d×%d pixels scaled to fit in %d×%d has a side of 0", width, height, f.Size[1], f.Size[0])
	}
	return rows, cols, nil
}

// checkImage bounds the size of an image.
func checkImage(height, width int) error {
	switch {
	case height < 1 || width < 1:
		return fmt.Errorf("an image of %d×%d has no pixels", width, height)
	case height > MaxSide || width > MaxSide || height > DefaultMaxPixels/width:
		return fmt.Errorf("an image of %d×%d pixels is too large", width, height)
	}
	return nil
}

// openCLIP is where open_clip's transform puts an image.
func (f Fit) openCLIP(height, width int) (rows, cols axis) {
	rows, cols = axis{in: height, size: f.Size[0]}, axis{in: width, size: f.Size[1]}
	switch {
	case f.Resize == Unscaled:
		rows.scaled, cols.scaled = height, width
	case f.Resize == Squash:
		rows.scaled, cols.scaled = rows.size, cols.size
	case f.Resize == Longest:
		keepRatio(&rows, &cols, math.Max)
	case f.Size[0] == f.Size[1]:
		// torchvision's Resize of an int.
		short := f.Size[0]
		long := int(float64(short*max(height, width)) / float64(min(height, width)))
		rows.scaled, cols.scaled = short, long
		if width <= height {
			rows.scaled, cols.scaled = long, short
		}
	default:
		keepRatio(&rows, &cols, math.Min)
	}
	rows.centre()
	cols.centre()
	return rows, cols
}

// keepRatio is open_clip's ResizeKeepRatio.
func keepRatio(rows, cols *axis, choose func(x, y float64) float64) {
	ratio := choose(float64(rows.in)/float64(rows.size), float64(cols.in)/float64(cols.size))
	rows.scaled = int(math.RoundToEven(float64(rows.in) / ratio))
	cols.scaled = int(math.RoundToEven(float64(cols.in) / ratio))
}

// centre is torchvision's CenterCrop, which rounds half to even, along one
// direction.
func (a *axis) centre() {
	if a.scaled < a.size {
		a.pad, a.count = (a.size-a.scaled)/2, a.scaled
		return
	}
	a.first, a.count = int(math.RoundToEven(float64(a.scaled-a.size)/2)), a.size
}

// Covers returns what of an image of the given size the result shows, as left, top, right
// and bottom in fractions of its sides: less than 0 or more than 1 where it is padded.
func (f Fit) Covers(height, width int) (box [4]float64, err error) {
	rows, cols, err := f.place(height, width)
	if err != nil {
		return box, fmt.Errorf("pillow: %w", err)
	}
	for i, a := range []axis{cols, rows} {
		from := float64(a.first - a.pad)
		box[i], box[2+i] = from/float64(a.scaled), (from+float64(a.size))/float64(a.scaled)
	}
	return box, nil
}
