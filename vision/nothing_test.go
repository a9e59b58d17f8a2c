package vision_test

import (
	"testing"

	"github.com/goclip/goclip/internal/nothing"
	"github.com/goclip/goclip/vision"
)

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		vision.Decode, vision.DecodeFile, vision.CLIPPreprocess, vision.New, (*vision.Preprocess)(nil), &vision.Preprocess{},
		vision.ConvNeXt{}, vision.ConvStemViT{}, vision.EVA{}, vision.EVA02{}, vision.GapViT{}, vision.PECore{}, vision.RelPosViT{}, vision.ResNet{},
		vision.SigLIP{}, vision.TimmViT{}, vision.ViT{}, vision.FastViT{}, vision.ViTamin{}, vision.Swin{}, vision.NaFlex{}, vision.EfficientNet{},
		vision.PlainViT{}, vision.TIPS{}, vision.BLIP2{}, vision.Pool(99), vision.Head(99), vision.Resize(99), vision.Interpolation(99),
	) {
		t.Error(panicked)
	}
}
