package imagefile

import (
	"bytes"
	"image"

	"golang.org/x/image/tiff"
)

// readTIFF applies the orientation tag, because Pillow does so for TIFF alone.
func readTIFF(data []byte, check checkSize) (image.Image, error) {
	config, err := tiff.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := check(config.Width, config.Height); err != nil {
		return nil, err
	}
	img, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return highBytes(img), nil
}
