package imagefile

import (
	"bytes"
	"image"
	"image/jpeg"
)

func readJPEG(data []byte, check checkSize) (image.Image, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := check(config.Width, config.Height); err != nil {
		return nil, err
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if img, ok := img.(*image.YCbCr); ok {
		return RGBFromYCbCr(img), nil
	}
	return img, nil
}
