package imagefile

import (
	"bytes"
	"image"

	"golang.org/x/image/bmp"
)

func readBMP(data []byte, check checkSize) (image.Image, error) {
	config, err := bmp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := check(config.Width, config.Height); err != nil {
		return nil, err
	}
	return bmp.Decode(bytes.NewReader(data))
}
