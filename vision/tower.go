// Package vision is the image side of CLIP: the towers that turn pixels into
// features, one family a file, and the preprocessing that turns images into
// pixels.
//
// A custom tower is a type that implements [Tower], built from the layers of
// package nn, with a [Config] that makes it.
package vision

import (
	"errors"
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Config says what an image tower computes. Its type is the family of the tower: a
// struct whose exported fields are the settings that the family has, so that it
// can be compared, printed, and written as JSON.
type Config interface {
	// Family is the name of the family in files, such as "vit".
	Family() string
	// Validate reports the first field that is missing or does not fit.
	Validate() error
	// Dims returns the sizes of the tower's input and output.
	Dims() Dims
	// New returns a tower whose parameters have no memory yet: [nn.Param.Init] or a
	// checkpoint gives it to them.
	New() (Tower, error)
}

// Dims are the sizes of what goes into an image tower and comes out.
type Dims struct {
	ImageSize [2]int // height and width of an input image in pixels
	EmbedDim  int    // size of the features, D
	Tokens    int    // tokens of an image in the widest layers; sets the default batch size
}

// Tower is an image encoder. Building graphs from several goroutines is safe;
// running a graph while its parameters are written to is not.
//
// A tower may also implement [PatchDropper], [PatchTower] and [nn.Layered], and its
// configuration [Resizer], [Gridded] and [nn.Coster].
type Tower interface {
	Config() Config
	// Params lists the parameters in a fixed order. Their names begin with
	// "visual."; of families that open_clip has, they are open_clip's.
	Params() []*nn.Param
	// Forward adds the tower to the graph of its input and returns its unnormalised
	// features, (B, D). It is differentiable down to the pixels.
	Forward(Input) (*G.Node, error)
}

// Input are the leaves that a tower reads.
type Input struct {
	Pixels *G.Node // (B, 3, H, W); nil where there are Patches

	// Patches, (B, N, P·P·3), where not nil, are images of several grids: the patches of
	// each in row-major order, then padding, each patch as its pixels' values in the order
	// of row, column and channel. Grid, (B, 2) int32, holds the rows and columns of each.
	// Only a [PatchReader]'s tower takes them. No padding changes a feature's bits.
	Patches, Grid *G.Node

	// Keep, (B, K) int32, where not nil, selects the patches of each image that the
	// tower sees, by their row-major index; each keeps its position embedding, and
	// the other patches are dropped (patch dropout; Li et al., 2023, FLIP). An index
	// out of range is an error when the graph runs. Only a [PatchDropper] takes it.
	Keep *G.Node
}

// PatchDropper is a tower that can run on a subset of an image's patches: see
// [Input].Keep.
type PatchDropper interface {
	Patches() int // number of patches of an image
}

// PatchTower is a tower that has a feature for each patch, in the space of its features.
type PatchTower interface {
	// ForwardPatches adds to the graph of its input what each patch says by itself, before
	// normalisation: (B, P, D), row-major. It is what the features would be if the last
	// attention saw that patch alone (MaskCLIP; Zhou et al., 2022): a pool's attention where
	// there is one, else that of the last block.
	ForwardPatches(Input) (*G.Node, error)
}

// Gridded is a configuration whose tower cuts images into a grid.
type Gridded interface {
	Grid() [2]int // patches down and across
}

// MultiVector is a configuration whose tower gives several feature vectors of D numbers
// for each image, one after the other, (B, Vectors·D). An image is as near to a caption as
// the nearest of them is.
type MultiVector interface {
	Vectors() int
}

// PatchReader is a configuration whose tower takes patches: see [Input].Patches.
type PatchReader interface {
	Patch() int // side of a square patch
}

// Resizer is a configuration whose tower can take images of another size, with its
// position embedding interpolated to the new grid.
type Resizer interface {
	// Resized returns the configuration for images of the given height and width.
	Resized(size [2]int) Config
	// Positions names the position embedding. Its first prefix rows belong to tokens
	// in front of the patches, such as the class token; the rest are the grid of
	// patches, (rows, columns), row-major.
	Positions() (param string, grid [2]int, prefix int)
}

// PositionResizer is a [Resizer] whose position embedding is interpolated in a way of its
// own, with antialiasing. That of others is interpolated as their checkpoint's program does.
type PositionResizer interface {
	PositionsBy() nn.Interpolation
}

// New returns a tower with random weights drawn from seed.
func New(cfg Config, seed uint64) (Tower, error) {
	if cfg == nil {
		return nil, errors.New("vision: the Config is nil")
	}
	t, err := cfg.New()
	if err != nil {
		return nil, err
	}
	for _, p := range t.Params() {
		p.Init(seed)
	}
	return t, nil
}

// check begins a forward pass: it fails where the pixels are not those of size.
func (in Input) check(size [2]int) {
	if in.Patches != nil {
		nn.Fail("image tower", "patches instead of pixels are not supported")
	}
	nn.WantShape("image tower", "pixels", in.Pixels, -1, 3, size[0], size[1])
}

// invalid is an error about a field of a configuration.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("vision: %s %w", field, fmt.Errorf(format, args...))
}

// number is a field that must lie between two numbers.
type number struct {
	name        string
	v, min, max int
}

func checkNumbers(fields ...number) error {
	for _, f := range fields {
		if f.v < f.min || f.v > f.max {
			return invalid(f.name, "is %d, want %d to %d", f.v, f.min, f.max)
		}
	}
	return nil
}

const maxDim = 1 << 20

// checkTransformer reports what of the settings that all transformers have does
// not fit.
func checkTransformer(size [2]int, patch, width, layers, heads, dim int, ratio, eps float64, act nn.Activation) error {
	if err := checkNumbers(
		number{"ImageSize[0]", size[0], 1, maxDim}, number{"ImageSize[1]", size[1], 1, maxDim}, number{"Width", width, 1, maxDim},
		number{"Layers", layers, 1, 1000}, number{"Heads", heads, 1, maxDim}, number{"EmbedDim", dim, 1, maxDim}); err != nil {
		return err
	}
	switch {
	case patch < 1 || patch > min(size[0], size[1]):
		return invalid("PatchSize", "is %d, want 1 to the image's smaller side (%d × %d)", patch, size[0], size[1])
	case width%heads != 0:
		return invalid("Heads", "is %d, which does not divide Width %d", heads, width)
	case !(eps > 0 && eps < 1):
		return invalid("NormEps", "is %g, want a small positive number", eps)
	case !(ratio >= 0 && ratio <= 64):
		return invalid("MLPRatio", "is %g, want 0 (for 4) to 64", ratio)
	}
	if err := act.Valid(); err != nil {
		return invalid("Activation", "%w", err)
	}
	return nil
}

func checkLayerScale(init float64) error {
	if !(math.Abs(init) <= 1e6) {
		return invalid("LayerScale", "is %g, want a number", init)
	}
	return nil
}
