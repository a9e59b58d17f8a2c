package checkpoint

import (
	"cmp"
	"fmt"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// What follows is frozen: the fingerprint of the first version, of the structs as they
// were, so that what it wrote is still known to be of its model.

type vision1 struct {
	ImageSize              [2]int
	PatchSize              int
	Width                  int
	Layers                 int
	Heads                  int
	EmbedDim               int
	MLPRatio               float64
	Activation             string
	NormEps                float64
	Pool                   string
	PoolQueries, PoolHeads int
	NormAfterPool          bool
	NoClassToken           bool
	NoLnPre                bool
	Stages                 []int
}

type text1 struct {
	ContextLength int
	VocabSize     int
	Width         int
	Layers        int
	Heads         int
	EmbedDim      int
	MLPRatio      float64
	Activation    string
	NormEps       float64
	Mask          string
	Pool          string
	EOSTokenID    int32
	ProjBias      bool
}

// FirstFacts is what the first version's fingerprint said of a model before its
// weights; false for one that it did not know.
func FirstFacts(v vision.Config, t text.Config, p *vision.Preprocess) (facts string, ok bool) {
	image, ok := visionFacts1(v)
	caption, known := textFacts1(t)
	if !ok || !known || p.Steps != vision.StepsOpenCLIP || p.Draft || p.Resize == vision.ResizeNone || p.Interpolation > vision.Bilinear {
		return "", false
	}
	return fmt.Sprintf("%s\n%s\n%s", image, caption, preprocessFacts1(p)), true
}

func visionFacts1(c vision.Config) (string, bool) {
	switch c := c.(type) {
	case vision.ResNet:
		return fmt.Sprint("resnet ", c.ImageSize, c.Width, cmp.Or(c.Heads, c.Width/2), c.EmbedDim, c.Stages[:]), true
	case vision.ViT:
		if c.LayerScale != 0 || c.Proj != vision.ProjMatrix || c.NoLnPost {
			return "", false
		}
		return fmt.Sprintf("vit %+v %d", vision1{
			ImageSize: c.ImageSize, PatchSize: c.PatchSize, Width: c.Width, Layers: c.Layers, Heads: c.Heads, EmbedDim: c.EmbedDim,
			Activation: c.Activation.String(), NormEps: c.NormEps, Pool: c.Pool.String(), PoolQueries: c.PoolQueries,
			PoolHeads: c.PoolHeads, NormAfterPool: c.NormAfterPool, NoClassToken: c.NoClassToken, NoLnPre: c.NoLnPre,
		}, nn.MLPWidth(c.Width, c.MLPRatio)), true
	}
	return "", false
}

func textFacts1(c text.Config) (string, bool) {
	t, ok := c.(text.Transformer)
	if !ok || t.Proj == text.ProjNone {
		return "", false
	}
	f := text1{
		ContextLength: t.ContextLength, VocabSize: t.VocabSize, Width: t.Width, Layers: t.Layers, Heads: t.Heads, EmbedDim: t.EmbedDim,
		Activation: t.Activation.String(), NormEps: t.NormEps, Mask: t.Mask.String(), Pool: t.Pool.String(), ProjBias: t.Proj == text.ProjLinear,
	}
	if t.Pool == text.PoolEOS || t.Pool == text.PoolMean || t.Mask == text.MaskPadding {
		f.EOSTokenID = t.EOSTokenID
	}
	return fmt.Sprintf("%+v %d", f, nn.MLPWidth(t.Width, t.MLPRatio)), true
}

func preprocessFacts1(p *vision.Preprocess) string {
	ground := "none"
	if p.Ground != nil {
		r, g, b, a := p.Ground.RGBA()
		ground = fmt.Sprint(r, g, b, a)
	}
	return fmt.Sprint(p.Size, p.Resize.String(), p.Interpolation.String(), p.Mean, p.Std, p.Fill, ground)
}
