package checkpoint

import (
	"image/color"
	"testing"

	"github.com/goclip/goclip/internal/identity"
	"github.com/goclip/goclip/vision"
)

// TestPreprocessFactsStay: indexes hold fingerprints that earlier versions made,
// so the descriptions that these are made of keep their bytes.
func TestPreprocessFactsStay(t *testing.T) {
	padded := vision.Preprocess{Size: [2]int{20, 31}, Resize: vision.ResizeLongest, Interpolation: vision.Bilinear,
		Mean: [3]float32{0.5, 0.25, 0}, Std: [3]float32{1, 0.5, 2}, Fill: 7, Ground: color.White}
	for want, p := range map[string]vision.Preprocess{
		"[224 224]shortestbicubic[0.48145467 0.4578275 0.40821072] [0.26862955 0.2613026 0.2757771] 0none": *vision.CLIPPreprocess(224),
		"[20 31]longestbilinear[0.5 0.25 0] [1 0.5 2] 765535 65535 65535 65535":                            padded,
	} {
		if got := preprocessFacts1(&p); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for want, p := range map[string]vision.Preprocess{
		"Mean=[0.48145467 0.4578275 0.40821072] Size=[224 224] Std=[0.26862955 0.2613026 0.2757771]":                                 *vision.CLIPPreprocess(224),
		"Fill=7 Ground=[65535 65535 65535 65535] Interpolation=bilinear Mean=[0.5 0.25 0] Resize=longest Size=[20 31] Std=[1 0.5 2]": padded,
	} {
		if got := identity.Describe(&p); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
