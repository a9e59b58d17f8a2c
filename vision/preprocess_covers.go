package vision

import (
	"errors"
	"fmt"
	"image"
)

// Covers returns what of an image the tower sees, as left, top, right and bottom in
// fractions of the image's sides: less than 0 or more than 1 where it is padded. The image
// is the one that [Preprocess.Seen] returns.
func (p *Preprocess) Covers(img image.Image) (box [4]float64, err error) {
	if img == nil {
		return box, errors.New("vision: preprocess: the image is nil")
	}
	img = p.Seen(img)
	if p, err = p.sized(img); err != nil {
		return box, err
	}
	if box, err = p.fit().Covers(img.Bounds().Dy(), img.Bounds().Dx()); err != nil {
		return box, fmt.Errorf("vision: %w", err)
	}
	return box, nil
}

// Seen returns the image that is prepared: as it is stored, or upright.
func (p *Preprocess) Seen(img image.Image) image.Image { return p.seen(img) }
