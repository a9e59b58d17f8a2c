package train

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/vision"
)

// Config says how a model is trained. The zero value of every field but LR has a
// documented default.
type Config struct {
	LR          Schedule // required
	Beta1       float64  // zero means 0.9
	Beta2       float64  // zero means 0.98
	Eps         float64  // zero means 1e-6
	WeightDecay float64  // decoupled, of tensors of two or more dimensions; zero means none
	NoDecay     []string // further tensors without decay, as path.Match patterns of their names
	ClipNorm    float64  // of the global gradient norm; zero means no clipping

	// LayerDecay makes the learning rate fall with depth, from 1 at the features by
	// this factor a block, down to the embeddings before the first (Clark et al.,
	// 2020, ELECTRA; Bao et al., 2022, BEiT), such as 0.75. Zero means 1, one rate
	// for all.
	LayerDecay float64

	// LockImage and LockText keep a tower as it is (Zhai et al., 2022, LiT, locks
	// the image tower); Freeze keeps the parameters whose names match one of the
	// path.Match patterns, such as "visual.transformer.resblocks.[0-5].*" or
	// "logit_scale". What is frozen costs no gradient, no decay and no moments.
	LockImage, LockText bool
	Freeze              []string

	// Loss is the objective: nil means [loss.Sigmoid] for a model with a logit bias
	// and [loss.InfoNCE] otherwise. One of one's own is a value with the methods of
	// [loss.Loss].
	Loss loss.Loss
	// Groups says which pairs of a batch are right answers for each other; zero
	// means those of one caption.
	Groups Groups
	// LabelSmoothing, from 0 to below 1, is the part of the targets' certainty that
	// is spread over all answers; see [loss.Targets].
	LabelSmoothing float64
	// Teacher, where not nil, is a model whose embeddings of the same images and
	// captions are imitated; see [loss.Teacher]. Its preprocessing, its tokenizer and
	// the size of its embeddings are its own. Distill is its loss's share of the
	// whole, from 0 to 1; zero means 0.5 with a Teacher. Without one, batches bring
	// embeddings that were computed before: [Batch].Teacher.
	Teacher *encoder.Model
	Distill float64
	// MaxLogitScale clamps the temperature after each step: exp(logit_scale) lies
	// in [1, MaxLogitScale]. Zero means CLIP's 100.
	MaxLogitScale float64

	// PatchDropout is the part of each image's patches, from 0 to below 1, that a
	// step leaves out, others each time (Li et al., 2023, FLIP): half of them is
	// about half the image tower's work. Encoding always sees whole images.
	PatchDropout float64
	// Seed decides what a step draws at random. The draws of a step depend on it
	// and on the step's number only.
	Seed uint64

	// MicroBatch, where it is below the size of a batch, takes that many pairs at a
	// time through the towers. The gradients are those of the batch, to rounding,
	// and so are its negatives; the memory is that of a micro-batch; the towers'
	// forward pass is computed twice. Zero means all at once.
	MicroBatch int

	// Unsaved trains a model that cannot be saved; else [New] refuses it.
	Unsaved bool

	// EMA is the decay of an exponential moving average of the weights, such as
	// 0.999, kept beside them for [Trainer.Averaged]; it starts lower, as
	// (1+n)/(10+n) after n steps. Zero means none.
	EMA float64
}

func (c Config) withDefaults(m *encoder.Model) (Config, error) {
	c.Beta1, c.Beta2, c.Eps = cmp.Or(c.Beta1, 0.9), cmp.Or(c.Beta2, 0.98), cmp.Or(c.Eps, 1e-6)
	c.MaxLogitScale, c.LayerDecay = cmp.Or(c.MaxLogitScale, 100), cmp.Or(c.LayerDecay, 1)
	if c.Loss == nil {
		c.Loss = loss.InfoNCE{}
		if m.LogitBias() != nil {
			c.Loss = loss.Sigmoid{}
		}
	}
	if c.Teacher != nil {
		c.Distill = cmp.Or(c.Distill, 0.5)
	}
	_, dropsPatches := m.Vision().(vision.PatchDropper)
	_, needsBias := c.Loss.(loss.Sigmoid)
	badGroups := enum.Valid(c.Groups, groupNames())
	switch {
	case c.LR == nil:
		return c, errors.New("train: LR is missing")
	case m.Vision() == nil || m.Text() == nil:
		return c, errors.New("train: the model has one tower, and a contrast needs two")
	case needsBias && m.LogitBias() == nil:
		return c, errors.New("train: Loss is sigmoid, but the model has no logit bias")
	case badGroups != nil:
		return c, fmt.Errorf("train: Groups %w", badGroups)
	case !(c.Beta1 > 0 && c.Beta1 < 1 && c.Beta2 > 0 && c.Beta2 < 1):
		return c, fmt.Errorf("train: Beta1 %g and Beta2 %g, want numbers between 0 and 1", c.Beta1, c.Beta2)
	case !(c.Eps > 0):
		return c, fmt.Errorf("train: Eps is %g, want more than 0", c.Eps)
	case !(c.WeightDecay >= 0):
		return c, fmt.Errorf("train: WeightDecay is %g, want 0 or more", c.WeightDecay)
	case !(c.ClipNorm >= 0):
		return c, fmt.Errorf("train: ClipNorm is %g, want 0 or more", c.ClipNorm)
	case !(c.MaxLogitScale > 1):
		return c, fmt.Errorf("train: MaxLogitScale is %g, want more than 1", c.MaxLogitScale)
	case !(c.LabelSmoothing >= 0 && c.LabelSmoothing < 1):
		return c, fmt.Errorf("train: LabelSmoothing is %g, want 0 to below 1", c.LabelSmoothing)
	case !(c.Distill >= 0 && c.Distill <= 1):
		return c, fmt.Errorf("train: Distill is %g, want a share from 0 to 1", c.Distill)
	case !(c.LayerDecay > 0 && c.LayerDecay <= 1):
		return c, fmt.Errorf("train: LayerDecay is %g, want a factor above 0 and at most 1", c.LayerDecay)
	case !(c.PatchDropout >= 0 && c.PatchDropout < 1):
		return c, fmt.Errorf("train: PatchDropout is %g, want 0 to below 1", c.PatchDropout)
	case c.PatchDropout > 0 && !dropsPatches:
		return c, fmt.Errorf("train: PatchDropout needs an image tower of patches, and the model's is of family %s", m.Config().Vision.Family())
	case c.MicroBatch < 0:
		return c, fmt.Errorf("train: MicroBatch is %d, want 0 or more", c.MicroBatch)
	case !(c.EMA >= 0 && c.EMA < 1):
		return c, fmt.Errorf("train: EMA %g, want a decay from 0 to below 1", c.EMA)
	}
	return c, nil
}
