package train

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/goclip/goclip/dataset"
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
	NoDecay     []string // further tensors without weight decay, as path.Match patterns of their names
	ClipNorm    float64  // of the global gradient norm; zero means no clipping

	// Moments is how AdamW keeps its moments: in less memory than float32, if not zero.
	Moments Moments

	// LayerDecay is the layer-wise learning rate decay: the rate is multiplied by
	// this factor per block, from the features (1) down to the embeddings before
	// the first block, such as 0.75 (Clark et al., 2020, ELECTRA; Bao et al., 2022,
	// BEiT). Zero means 1, one rate for all.
	LayerDecay float64

	// LockImage and LockText freeze a tower (Zhai et al., 2022, LiT, locks the
	// image tower); Freeze freezes the parameters whose names match one of the
	// path.Match patterns, such as "visual.transformer.resblocks.[0-5].*" or
	// "logit_scale". Frozen parameters have no gradient, no weight decay and no
	// moments.
	LockImage, LockText bool
	Freeze              []string

	// Loss is the objective: nil means [loss.Sigmoid] for a model with a logit bias
	// and [loss.InfoNCE] otherwise. A custom objective implements [loss.Loss].
	Loss loss.Loss
	// Groups says which pairs of a batch are right answers for each other; zero
	// means those with the same caption.
	Groups Groups
	// LabelSmoothing, from 0 to below 1, is the probability that is spread over all
	// answers; see [loss.Targets].
	LabelSmoothing float64
	// Teacher, where not nil, is the teacher model of knowledge distillation; see
	// [loss.Teacher]. It may differ in preprocessing, tokenizer and embedding size.
	// Distill is the weight of the distillation loss in the total, from 0 to 1; zero
	// means 0.5 with a Teacher. Without a Teacher, Distill uses precomputed
	// embeddings, [Batch].Teacher.
	Teacher *encoder.Model
	Distill float64
	// Stored, where not nil, holds a teacher's embeddings in place of a Teacher.
	Stored *Stored
	// Texts, where not nil, says which texts a step reads of a pair in place of its caption
	// alone, such as hard negatives beside it: as many for each pair. On several Ranks it is asked
	// about all pairs, of which those of other ranks have no Image.
	Texts func(dataset.Pair) ([]Text, error)
	// MaxLogitScale clamps logit_scale after each step, so that exp(logit_scale)
	// lies in [1, MaxLogitScale]. Zero means CLIP's 100.
	MaxLogitScale float64

	// PatchDropout is the fraction of each image's patches, from 0 to below 1,
	// that a step drops at random (Li et al., 2023, FLIP): 0.5 about halves the
	// image tower's work. Encoding always uses all patches.
	PatchDropout float64
	// Seed seeds what a step draws at random; the draws depend on the seed and
	// the step's number only.
	Seed uint64

	// MicroBatch, where it is below the batch size, is the number of pairs that go
	// through the towers at a time (gradient caching; Gao et al., 2021). Gradients
	// and negatives are those of the whole batch, up to rounding; memory is that of
	// a micro-batch; the towers' forward pass is computed twice. Zero means the
	// whole batch at once.
	MicroBatch int

	// GradCheckpointing computes what lies between the blocks of the towers once more for the
	// gradients, instead of keeping it ([nn.Recompute]): a third more time, and of a transformer's
	// activations a fifth in memory or less. No bit changes, so a run may be resumed without it.
	GradCheckpointing bool

	// Ranks, where not nil, are the processes that train the model together, each with its own
	// copy of it and with the same Config, batches and set. A rank takes some of the micro-batches
	// through the towers, and updates some of the parameters, whose moments it alone keeps. The
	// micro-batches' gradients are added up along a tree that depends on their number only, so
	// MicroBatch, which is required then, has to be the same where the bits are to be; the number
	// of ranks may differ, also of a run that is resumed. There should be at least as many
	// micro-batches as ranks. What goes wrong on one rank ends the step on all.
	Ranks Ranks

	// Unsaved allows training a model that cannot be saved, which [New]
	// otherwise refuses.
	Unsaved bool

	// EMA is the decay of an exponential moving average of the weights, such as
	// 0.999, used by [Trainer.Averaged]; it starts lower, as (1+n)/(10+n) after
	// n steps. Zero means none.
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
	if c.Teacher != nil || c.Stored != nil {
		c.Distill = cmp.Or(c.Distill, 0.5)
	}
	_, dropsPatches := m.Vision().(vision.PatchDropper)
	_, needsBias := c.Loss.(loss.Sigmoid)
	badGroups, badMoments := enum.Valid(c.Groups, groupNames()), enum.Valid(c.Moments, momentsNames())
	switch {
	case c.Teacher != nil && c.Stored != nil:
		return c, errors.New("train: both Teacher and Stored, want one of them")
	case c.LR == nil:
		return c, errors.New("train: LR is missing")
	case m.Vision() == nil || m.Text() == nil:
		return c, errors.New("train: the model has only one tower, and a contrastive loss needs two")
	case needsBias && m.LogitBias() == nil:
		return c, errors.New("train: Loss is sigmoid, but the model has no logit bias")
	case badGroups != nil:
		return c, fmt.Errorf("train: Groups %w", badGroups)
	case !(c.Beta1 > 0 && c.Beta1 < 1 && c.Beta2 > 0 && c.Beta2 < 1):
		return c, fmt.Errorf("train: Beta1 %g and Beta2 %g, want numbers between 0 and 1", c.Beta1, c.Beta2)
	case badMoments != nil:
		return c, fmt.Errorf("train: Moments %w", badMoments)
	case c.Moments.check(c.Beta2) != nil:
		return c, c.Moments.check(c.Beta2)
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
		return c, fmt.Errorf("train: PatchDropout is not supported by the model's image tower, of family %s", m.Config().Vision.Family())
	case c.MicroBatch < 0:
		return c, fmt.Errorf("train: MicroBatch is %d, want 0 or more", c.MicroBatch)
	case c.Ranks != nil && c.MicroBatch == 0:
		return c, errors.New("train: MicroBatch is 0 beside Ranks, which share the micro-batches of a batch: want 1 or more")
	case c.Ranks != nil && (c.Ranks.Size() < 1 || c.Ranks.Rank() < 0 || c.Ranks.Rank() >= c.Ranks.Size()):
		return c, fmt.Errorf("train: Ranks: this is rank %d of %d", c.Ranks.Rank(), c.Ranks.Size())
	case !(c.EMA >= 0 && c.EMA < 1):
		return c, fmt.Errorf("train: EMA %g, want a decay from 0 to below 1", c.EMA)
	}
	return c, nil
}
