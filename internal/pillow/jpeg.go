package pillow

import (
	"image"

	"github.com/goclip/goclip/internal/pillow/jpeg"
)

func readJPEG(data []byte, check checkSize) (image.Image, error) {
	return jpeg.Decode(data, check)
}
