// Package explain says what of an image fits a caption: a heat map over the image, in one of
// two ways ([Method]).
//
// A map is a hint and no proof: it says where the model's numbers come from to first order,
// not what the model would say of another image. The same image and caption have the same
// map, to the last bit, on any number of cores.
package explain

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/vision"
)

// Method is how a map is made.
type Method uint8

const (
	// Gradients follows what the cosine of image and caption owes to each patch back
	// through the attentions, each weighted with its gradient (Chefer et al., 2021, Generic
	// Attention-model Explainability). In a tower without attention between all its tokens
	// it is Grad-CAM over the last grid of features (Selvaraju et al., 2017).
	Gradients Method = iota
	// Patches is the cosine of each patch's own feature and the caption, of a tower that is
	// a [vision.PatchTower].
	Patches
)

func methodNames() map[Method]string {
	return map[Method]string{Gradients: "gradients", Patches: "patches"}
}

// String returns its name.
func (m Method) String() string { return enum.String(m, methodNames()) }

// MarshalText returns the name; an invalid Method is an error.
func (m Method) MarshalText() ([]byte, error) { return enum.Marshal(m, methodNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (m *Method) UnmarshalText(text []byte) error { return enum.Unmarshal(m, text, methodNames()) }

// Options say how a map is made. The zero value is ready to use.
type Options struct {
	Method Method

	// Against are captions that might be there as well: the map is of what speaks for the
	// caption more than for their mean. The caption itself may be one of them.
	Against []string
}

// Image returns what of an image fits a caption. An image that cannot be used is an
// [encoder.ImageError]; a tower that has not what the method needs is an error that names its
// family. It takes the time and memory of about three passes of one image, and is safe for
// concurrent use.
func Image(ctx context.Context, m *encoder.Model, img image.Image, caption string, o Options) (*Map, error) {
	if m == nil {
		return nil, errors.New("explain: the model is nil")
	}
	e, err := m.EncodeTexts(ctx, append([]string{caption}, o.Against...)...)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	target := append([]float32(nil), e.Row(0)...)
	for i := range o.Against {
		for j, v := range e.Row(1 + i) {
			target[j] -= v / float32(len(o.Against))
		}
	}
	return Vector(ctx, m, img, target, o.Method)
}

// Vector is [Image] of any direction in the space of embeddings, D numbers: a label's
// weights in a classifier, say, or a difference of captions.
func Vector(ctx context.Context, m *encoder.Model, img image.Image, target []float32, by Method) (*Map, error) {
	if err := enum.Valid(by, methodNames()); err != nil {
		return nil, fmt.Errorf("explain: Method %w", err)
	}
	p, err := fits(m, target)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pixels, out := make([]float32, p.Len()), &Map{upright: p.Upright}
	if err := guard.Call(func() (err error) {
		if out.box, err = p.Covers(img); err == nil {
			err = p.Image(pixels, img)
		}
		return err
	}); err != nil {
		return nil, &encoder.ImageError{Err: err}
	}
	release, err := m.Hold()
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	defer release()
	pass := pass{tower: m.Vision(), pixels: pixels, target: target}
	run := pass.gradients
	if by == Patches {
		run = pass.patches
	}
	if err := guard.Call(func() (err error) { out.Cells, out.Rows, out.Cols, err = run(); return err }); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	for i, v := range out.Cells {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("explain: cell %d is %v: the model's numbers overflow", i, v)
		}
	}
	return out, nil
}

// fits refuses models that have no map at all, and targets of another size.
func fits(m *encoder.Model, target []float32) (*vision.Preprocess, error) {
	c := m.Config()
	switch {
	case m == nil:
		return nil, errors.New("explain: the model is nil")
	case m.Vision() == nil:
		return nil, errors.New("explain: the model has no image tower")
	}
	if _, several := c.Vision.(vision.MultiVector); several {
		return nil, refuse(c.Vision, "gives several vectors for an image")
	}
	if c.Preprocess.MaxPatches > 0 {
		return nil, refuse(c.Vision, "takes images of several grids")
	}
	if d := c.Vision.Dims().EmbedDim; len(target) != d {
		return nil, fmt.Errorf("explain: a target of %d numbers, want the embeddings' %d", len(target), d)
	}
	var norm float64
	for _, v := range target {
		norm += float64(v) * float64(v)
	}
	if !(norm > 0) || math.IsInf(norm, 0) {
		return nil, errors.New("explain: the target is no direction: all its numbers are 0, or one is not finite; are Against other captions?")
	}
	return c.Preprocess, nil
}

func refuse(c vision.Config, why string) error {
	return fmt.Errorf("explain: an image tower of family %s %s, which has no map", c.Family(), why)
}
