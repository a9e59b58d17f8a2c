// Package vision is the image side of CLIP: the towers that turn pixels into
// features, one family a file, and the preprocessing that turns images into
// pixels.
//
// A tower of one's own is a type with the methods of [Tower], made of layers of
// package nn, and a [Config] that makes it.
package vision

import (
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
	// Dims are what everything around a tower needs to know of it.
	Dims() Dims
	// New returns a tower whose parameters have no memory yet: [nn.Param.Init] or a
	// checkpoint gives it to them.
	New() (Tower, error)
}

// Dims are the sizes of what goes into an image tower and comes out.
type Dims struct {
	ImageSize [2]int // height and width of its images in pixels
	EmbedDim  int    // size of the features, D
	Tokens    int    // vectors that its widest layers have of an image, for the size of a batch
}

// Tower is an image encoder. Building graphs from several goroutines is safe;
// running a graph while its parameters are written to is not.
//
// Towers may have further methods, which those who need them ask for:
// [PatchDropper], [nn.Layered]; and configurations [Resizer], [nn.Coster].
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
	Pixels *G.Node // (B, 3, H, W)

	// Keep, where not nil, is a part of each image: the tower sees the patches of
	// these numbers in row-major order, (B, K) int32, at their positions, and nothing
	// of the others (Li et al., 2023, FLIP). Fewer patches are less work. A number
	// outside the patches is an error when the graph runs. Only a [PatchDropper]
	// takes it.
	Keep *G.Node
}

// PatchDropper is a tower that can see a part of an image's patches.
type PatchDropper interface {
	Patches() int // of an image
}

// Resizer is a configuration whose tower can have images of another size, to which
// a table of positions is resized.
type Resizer interface {
	// Resized returns the configuration for images of the given height and width.
	Resized(size [2]int) Config
	// Positions names the table, whose rows are prefix further ones and then those of
	// the patches down and across.
	Positions() (param string, grid [2]int, prefix int)
}

// New returns a tower with random weights drawn from seed.
func New(cfg Config, seed uint64) (Tower, error) {
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
