package imagefile

import (
	"image"

	"github.com/goclip/goclip/internal/imagefile/jpeg"
)

func readJPEG(data []byte, check checkSize) (image.Image, error) {
	return jpeg.Decode(data, check)
}
