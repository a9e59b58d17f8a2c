package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
)

// Plan is a run as goclip train takes it, with models as names and paths. [Plan.Open]
// makes it a [Training].
type Plan struct {
	// Job says what the run trains on and where its results go. Of it Set and Out are
	// required; a Batches.Size of zero means 128, Steps of zero as many as Epochs have. Open
	// sets Model, Config.LR, Config.Teacher, Batches.Shuffle and Batches.Augment.
	Job
	Epochs int // passes over the set; zero means 10

	// From is the path of a model to fine-tune, Load how it is opened. Where From is
	// empty a new model of architecture Arch is trained (see [FindArchitecture]; empty
	// means "toy"), with a tokenizer of Vocab tokens, zero meaning 1000, that is made of
	// the set's captions.
	From  string
	Load  encoder.Options
	Arch  string
	Vocab int
	// ImageFrom is the path of a model whose image tower, with its preprocessing, takes the
	// place of a new model's, so that a text tower of Arch learns to read it (Zhai et al.,
	// 2022, LiT; Config.LockImage keeps it as it is). Empty for none. LoadImage is how it is
	// opened; it may be a model without a text tower.
	ImageFrom string
	LoadImage encoder.Options
	// Upright says whether photographs are turned as their files say that they should be
	// seen; it replaces what the models' files say. Nil means true; but a run whose
	// checkpoints are in Out goes on as it began, as those of earlier versions do without.
	Upright *bool
	// LoRA, where its Rank is not zero, gives the model of From adapters, which are
	// trained in the place of its weights.
	LoRA encoder.LoRA
	// Teacher is the path of a teacher model for knowledge distillation; empty for none.
	// See [train.Config].Teacher. LoadTeacher is how it is opened.
	Teacher     string
	LoadTeacher encoder.Options
	// Seed is that of a new model's weights and of new adapters, and of the order of the
	// data and what steps draw where Batches and Config have none.
	Seed uint64

	// LR is the learning rate after Warmup steps, such as 1e-3 for a new model and 1e-5 to
	// fine-tune one, and Schedule how it falls then. A nil Warmup means a twentieth of all
	// steps.
	LR       float64
	Warmup   *int
	Schedule Schedule

	// Augment names augmentations of [AugmentNames]; CropScale, zero meaning 0.5, is the
	// least fraction of an image's area that "crop" keeps.
	Augment   []string
	CropScale float64
}

// Schedule is how the learning rate falls after the warm-up. Its text is "cosine",
// "linear" or "constant".
type Schedule uint8

// Schedules of the learning rate.
const (
	ScheduleCosine   Schedule = iota // [train.Cosine]
	ScheduleLinear                   // [train.Linear]
	ScheduleConstant                 // [train.Constant]
)

func scheduleNames() map[Schedule]string {
	return map[Schedule]string{ScheduleCosine: "cosine", ScheduleLinear: "linear", ScheduleConstant: "constant"}
}

func (s Schedule) String() string { return enum.String(s, scheduleNames()) }

// MarshalText returns the name; an invalid Schedule is an error.
func (s Schedule) MarshalText() ([]byte, error) { return enum.Marshal(s, scheduleNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (s *Schedule) UnmarshalText(text []byte) error {
	return enum.Unmarshal(s, text, scheduleNames())
}

// FieldError says which field of a [Plan] an error is about.
type FieldError struct {
	Field string
	// Unusable is set where the field names something that cannot be read or used, and
	// not where the field is wrong by itself.
	Unusable bool
	Err      error
}

func (e *FieldError) Error() string { return fmt.Sprintf("job: %s: %v", e.Field, e.Err) }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

func bad(field, format string, args ...any) error {
	return &FieldError{Field: field, Err: fmt.Errorf(format, args...)}
}

func unusable(field string, err error) error {
	return &FieldError{Field: field, Unusable: true, Err: err}
}

// Open loads the models of the plan, or makes a new one, and prepares the run. Nothing
// is written yet. [Training.Close] closes the models. What is wrong with a field is a
// [FieldError].
func (p Plan) Open(ctx context.Context) (t *Training, err error) {
	if err := p.fill(); err != nil {
		return nil, err
	}
	var opened []*encoder.Model
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(opened))
		}
	}()
	if p.Model, err = p.model(ctx); err != nil {
		return nil, err
	}
	opened = append(opened, p.Model)
	if p.Teacher != "" {
		if p.Config.Teacher, err = encoder.Load(p.Teacher, &p.LoadTeacher); err != nil {
			return nil, unusable("Teacher", err)
		}
		opened = append(opened, p.Config.Teacher)
		if err := whole(p.Config.Teacher); err != nil {
			return nil, unusable("Teacher", fmt.Errorf("%s: %w", p.Teacher, err))
		}
	}
	p.Batches.Augment = Augment(p.Augment, p.Model.Config().Vision.Dims().ImageSize, p.CropScale)
	t, err = New(p.Job)
	if err != nil {
		return nil, err
	}
	t.opened = opened
	return t, nil
}

func closeAll(models []*encoder.Model) error {
	var errs []error
	for _, m := range models {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// fill checks the plan and gives its fields their defaults.
func (p *Plan) fill() error {
	if p.Set == nil {
		return errors.New("job: Set is missing")
	}
	p.Batches.Size, p.Epochs = cmp.Or(p.Batches.Size, 128), cmp.Or(p.Epochs, 10)
	p.Vocab, p.CropScale = cmp.Or(p.Vocab, 1000), cmp.Or(p.CropScale, 0.5)
	p.Batches.Seed, p.Config.Seed = cmp.Or(p.Batches.Seed, p.Seed), cmp.Or(p.Config.Seed, p.Seed)
	samples := p.Set.Len()
	switch {
	case p.From != "" && p.Arch != "":
		return bad("Arch", "%s is for a new model, but From is %s", p.Arch, p.From)
	case p.From != "" && p.ImageFrom != "":
		return bad("ImageFrom", "%s is for a new model, but From is %s", p.ImageFrom, p.From)
	case p.WiseFT != nil && p.From == "":
		return bad("WiseFT", "it needs a model to fine-tune, From")
	case p.LoRA.Rank != 0 && p.From == "":
		return bad("LoRA", "it needs a model to adapt, From")
	case p.Batches.Size < 2:
		return bad("Batches", "Size is %d, want 2 or more: a contrastive loss needs negatives", p.Batches.Size)
	case samples >= 0 && samples < p.Batches.Size:
		return unusable("Set", fmt.Errorf("it has %d samples, fewer than the batch size of %d", samples, p.Batches.Size))
	case p.Steps < 0 || p.Epochs < 1:
		return bad("Steps", "%d, and Epochs %d, want 1 or more", p.Steps, p.Epochs)
	case p.Steps == 0 && samples < 0:
		return bad("Steps", "is missing: the set is a stream, whose size is unknown")
	case p.Warmup != nil && *p.Warmup < 0:
		return bad("Warmup", "is %d, want 0 or more", *p.Warmup)
	case !(p.CropScale > 0 && p.CropScale <= 1):
		return bad("CropScale", "is %g, want a fraction above 0 and at most 1", p.CropScale)
	}
	if err := enum.Valid(p.Schedule, scheduleNames()); err != nil {
		return bad("Schedule", "%w", err)
	}
	if p.Upright == nil {
		saved, found := train.Checkpoints{Dir: filepath.Join(p.Out, checkpoints)}.Setting("model.Preprocess.Upright")
		upright := !found || saved == "true"
		p.Upright = &upright
	}
	p.Load.Upright, p.LoadTeacher.Upright, p.LoadImage.Upright = p.Upright, p.Upright, p.Upright
	p.Batches.Shuffle, p.Steps = true, cmp.Or(p.Steps, Steps(p.Epochs, samples, p.Batches.Size))
	p.Config.LR = p.schedule()
	if p.WiseFT != nil {
		w := *p.WiseFT
		w.Start = func() (*encoder.Model, error) { return encoder.Load(p.From, &p.Load) }
		p.WiseFT = &w
	}
	return nil
}

func (p *Plan) schedule() train.Schedule {
	warmup := Warmup(p.Steps)
	if p.Warmup != nil {
		warmup = *p.Warmup
	}
	switch p.Schedule {
	case ScheduleLinear:
		return train.Linear(p.LR, warmup, p.Steps)
	case ScheduleConstant:
		return train.Constant(p.LR, warmup)
	}
	return train.Cosine(p.LR, warmup, p.Steps)
}

// model is the one to fine-tune, or a new one.
func (p *Plan) model(ctx context.Context) (*encoder.Model, error) {
	if p.From == "" {
		return p.fresh(ctx)
	}
	options := p.Load
	options.Trainable = p.LoRA.Rank == 0
	m, err := encoder.Load(p.From, &options)
	if err != nil {
		return nil, unusable("From", err)
	}
	if err := whole(m); err != nil {
		return nil, unusable("From", errors.Join(fmt.Errorf("%s: %w", p.From, err), m.Close()))
	}
	if p.LoRA.Rank != 0 {
		if err := m.AddLoRA(p.LoRA, p.Seed); err != nil {
			return nil, errors.Join(bad("LoRA", "%w", err), m.Close())
		}
	}
	return m, nil
}

// whole says what a model lacks that pairs of images and captions need.
func whole(m *encoder.Model) error {
	switch {
	case m.Vision() == nil:
		return errors.New("the model has no image tower")
	case m.Text() == nil:
		return errors.New("the model has no text tower")
	case m.Tokenizer() == nil:
		return errors.New("the model has no tokenizer")
	}
	return nil
}

// fresh is a new model with a tokenizer of the set's words.
func (p *Plan) fresh(ctx context.Context) (*encoder.Model, error) {
	name := cmp.Or(p.Arch, "toy")
	arch, found, err := FindArchitecture(name)
	switch {
	case err != nil:
		return nil, unusable("Arch", err)
	case !found:
		return nil, bad("Arch", "%s is not known; there are %v, and .json files in the form of open_clip's model_configs", name, ArchitectureNames())
	}
	tok, err := Vocabulary(ctx, p.Set, p.Vocab)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, err
	case err != nil:
		return nil, bad("Vocab", "%d: %w", p.Vocab, err)
	}
	_, sigmoid := p.Config.Loss.(loss.Sigmoid)
	arch = arch.upright(*p.Upright)
	if p.ImageFrom != "" {
		return p.withImages(arch, tok, sigmoid)
	}
	m, err := Fresh(arch, tok, sigmoid, p.Seed)
	if err != nil {
		return nil, unusable("Arch", fmt.Errorf("%s: %w", name, err))
	}
	return m, nil
}

// withImages is a new model with the image tower of another.
func (p *Plan) withImages(arch Architecture, tok tokenizer.Tokenizer, sigmoid bool) (m *encoder.Model, err error) {
	from, err := encoder.Load(p.ImageFrom, &p.LoadImage)
	if err != nil {
		return nil, unusable("ImageFrom", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if from.Vision() == nil {
		return nil, unusable("ImageFrom", fmt.Errorf("%s: the model has no image tower", p.ImageFrom))
	}
	m, err = Fresh(arch.reading(from.Config()), tok, sigmoid, p.Seed)
	if err != nil {
		return nil, unusable("ImageFrom", fmt.Errorf("%s with a text tower of %s: %w", p.ImageFrom, cmp.Or(p.Arch, "toy"), err))
	}
	to := make(map[string]*nn.Param)
	for _, q := range m.Vision().Params() {
		to[q.Name] = q
	}
	for _, q := range from.Vision().Params() {
		copy(to[q.Name].Data, q.Data)
	}
	return m, nil
}
