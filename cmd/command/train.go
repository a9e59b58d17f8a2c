package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/lists"
	"github.com/goclip/goclip/internal/output"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/job"
	"github.com/goclip/goclip/train/observe"
)

type trainCommand struct {
	dataFlags
	promptFlags
	LabelsFile   string `placeholder:"FILE" help:"File of labels, as goclip eval reads it: the names of numbers and of ids such as n01440764 take their place. A label of the set that is not in it is an error."`
	AllowMissing bool   `help:"Train on labels that are not in --labels-file, too."`

	Out       string `required:"" placeholder:"DIR" help:"Folder for the model, checkpoints and logs."`
	Overwrite bool   `help:"Replace a model in DIR that is not of this run."`
	From      string `placeholder:"PATH" help:"Model to fine-tune, a path or a name. Default: a new model, of --arch."`
	ImageFrom string `placeholder:"PATH" help:"Model whose image tower a new model takes over, a path or a name; with --lock image only the text tower learns (LiT)."`
	Arch      string `placeholder:"NAME" help:"A new model: toy (32-pixel images, learns in a minute), small (64-pixel images), a published one such as ViT-B-32, or a .json file in the form of open_clip's model_configs. Default: toy."`

	Context           int             `placeholder:"N" help:"With --from: captions of up to N tokens, more than the model takes. Its first 20 position embeddings stay, the others are stretched (Long-CLIP); fine-tune it on long captions."`
	Epochs            int             `default:"10" help:"Number of passes over the set."`
	Steps             int             `placeholder:"N" help:"Number of steps, instead of epochs; required for a stream, whose size is unknown."`
	BatchSize         int             `default:"128" help:"Pairs per step. Contrastive learning profits from large batches."`
	MicroBatch        int             `placeholder:"N" help:"Pairs that go through the towers at a time (gradient caching): less memory, the gradients of the whole batch."`
	GradCheckpointing bool            `help:"Compute activations within the towers' blocks once more for the gradients instead of keeping them: a third more time, a fraction of the memory, the same bits."`
	Optimizer         train.Optimizer `enum:"adamw,muon" default:"adamw" help:"adamw, or muon: orthogonal updates (Jordan et al., 2024) for matrices, AdamW for all others. It wants fewer steps and higher rates."`
	MuonRate          float64         `placeholder:"X" help:"With --optimizer muon: the rate of its matrices, as a multiple of --lr, such as 3. Default: 1."`
	Moments           train.Moments   `enum:"float32,bfloat16,8bit" default:"float32" help:"How the optimizer keeps its two numbers for each weight: ${enum}, 8, 4 or 2 bytes."`
	LR                float64         `name:"lr" default:"1e-3" help:"Learning rate after the warm-up; for fine-tuning, about 1e-5."`
	Warmup            *int            `placeholder:"N" help:"Warm-up steps. Default: a twentieth of all steps."`
	Schedule          string          `enum:"cosine,linear,constant" default:"cosine" help:"Learning rate schedule after the warm-up: ${enum}."`
	WeightDecay       float64         `default:"0.1" help:"Decoupled weight decay of matrices."`
	ClipNorm          float64         `default:"1" help:"Clip the gradient norm at this value; 0 means no clipping."`
	Loss              string          `enum:"infonce,sigmoid," default:"" placeholder:"NAME" help:"infonce or sigmoid. Default: sigmoid for a model with a logit bias, otherwise infonce."`
	Groups            train.Groups    `enum:"caption,label,none" default:"caption" help:"Which pairs are right answers for each other: those of the same ${enum}."`
	LabelSmoothing    float64         `placeholder:"X" help:"Label smoothing, from 0 to below 1."`
	LayerDecay        float64         `placeholder:"X" help:"Layer-wise learning rate decay: factor per block from the output to the input, such as 0.75."`
	PatchDropout      float64         `placeholder:"X" help:"Fraction of each image's patches that a step drops (FLIP)."`
	EMA               float64         `name:"ema" placeholder:"X" help:"Decay of an exponential moving average of the weights, such as 0.999; the average is what is saved."`
	Lock              []string        `enum:"image,text" placeholder:"TOWER" help:"Towers to freeze: image, text."`
	Freeze            []string        `placeholder:"PATTERN" help:"Parameters to freeze, by patterns of their names."`
	LoRARank          int             `name:"lora-rank" placeholder:"N" help:"Train LoRA adapters of this rank on the model of --from. They are saved in lora.safetensors, and merged into the model."`
	LoRAAlpha         float64         `name:"lora-alpha" placeholder:"X" help:"LoRA alpha: updates are scaled by X/rank. Default: the rank."`
	LoRATargets       []string        `name:"lora-targets" placeholder:"PATTERN" help:"Weights that get adapters, by patterns of their names. Default: all linear layers."`
	Teacher           string          `placeholder:"PATH" help:"Teacher model for knowledge distillation, a path or a name."`
	TeacherFile       string          `placeholder:"FILE" help:"The teacher's embeddings of the set, stored before. With --teacher, too, they are computed once and written where FILE is not there yet."`
	Captions          int             `placeholder:"N" help:"Captions of an image that a step reads, all right; where it has fewer, they come again. Default: one, drawn anew in each epoch."`
	HardNegatives     string          `placeholder:"FILE" help:"Captions that are wrong for an image, beside its own: lines of JSON, {\"caption\": \"…\", \"wrong\": [\"…\"]}, for every caption of the set."`
	Distill           float64         `placeholder:"X" help:"Weight of the distillation loss, 0 to 1. Default: 0.5."`
	Upright           *bool           `negatable:"" help:"Turn photographs as their files say that they should be seen. Default: yes; a run that was begun goes on as it began."`
	Augment           []string        `enum:"flip,crop,pad,color,grey" placeholder:"NAME" help:"Data augmentation, applied in this order: flip, crop, pad, color, grey."`
	CropScale         float64         `default:"0.5" placeholder:"X" help:"Smallest fraction of an image's area that crop keeps, such as 0.9 (CLIP's) or 0.25."`
	Vocab             int             `default:"1000" help:"Vocabulary size of a new model's tokenizer, which is trained on the captions."`
	Seed              uint64          `default:"1" help:"Seed of the initial weights, the order of the data and all other random choices."`
	Edited            bool            `help:"Accept configuration and tokenizer files of --from that were changed since that model was saved."`

	Test      string `placeholder:"SET" help:"Set to evaluate the model on during training: zero-shot accuracy where images have labels, otherwise recall@k. Results are also in events.jsonl."`
	TestEvery int    `placeholder:"N" help:"Steps between evaluations. Default: once per epoch."`
	KeepBest  bool   `help:"Save the model that was best on the set of --test (by top1, or by the mean of recall@1 both ways), not the last one."`
	Patience  int    `placeholder:"N" help:"Stop after N evaluations in a row without a better one; implies --keep-best."`

	WiseFT    string   `name:"wise-ft" placeholder:"SET" help:"Fine-tune without forgetting (WiSE-FT): SET measures what --from can do and should not forget. The model that is saved lies between both, where the mean of SET and --test is best."`
	WiseAlpha *float64 `placeholder:"X" help:"With --wise-ft: where it lies, from 0, the model of --from, to 1, the tuned one."`

	Longer bool `help:"Go on from the checkpoints of a run of fewer steps or epochs in DIR."`

	CheckpointEvery int    `default:"1000" help:"Steps between checkpoints."`
	Keep            int    `default:"3" help:"Number of newest checkpoints that are kept."`
	MaxBad          int    `placeholder:"N" help:"Fail when more samples than this cannot be used."`
	TensorBoard     string `name:"tensorboard" placeholder:"DIR" help:"Folder for TensorBoard events."`
}

func (trainCommand) Help() string {
	return `The folder DIR will hold the model, events.jsonl (every step's loss), left-out.jsonl (samples that cannot be used, and why) and checkpoints. ` +
		`An interrupted run resumes with the same command, and ends with the same weights as one that was not interrupted. Other flags are an error.

    goclip train --data photos.csv --out model
    goclip train --data "shards/{000..012}.tar" --steps 20000 --out model --arch small --augment crop,flip
    goclip train --data mine/ --from ViT-B-32 --out tuned --lr 1e-5 --lock image
    goclip train --data mine/ --from ViT-B-32 --out tuned --lr 1e-4 --lora-rank 8
    goclip train --data mine/ --image-from ViT-B-32 --lock image --arch small --out lit
    goclip train --data mine/ --teacher ViT-L-14 --teacher-file teacher.safetensors --arch small --out student
    goclip train --data mine/ --from ViT-B-32 --out tuned --lr 1e-5 --test held-out/ --wise-ft imagenet-val/
    goclip train --config train.yaml

train.yaml of the last example may set any of the flags:

    data: photos.csv
    out: model
    epochs: 20
    augment: [crop, flip]

Afterwards: goclip eval --model model --data test.csv --log model/events.jsonl --report report`
}

// run trains, or resumes.
func (c *trainCommand) run(s *session, ranks train.Ranks) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	templates, err := c.promptFlags.list()
	if err != nil {
		return err
	}
	listed, byID, err := (&labelFlags{LabelsFile: c.LabelsFile}).list()
	if err != nil {
		return err
	}
	c.names = byID
	set, err := c.open(s, templates)
	if err != nil {
		return err
	}
	defer closing(&err, set.Close)
	s.say("%s: %v", c.Data, set.Seen())
	if others := c.unlisted(set.Classes(), listed); len(others) > 0 && !c.AllowMissing {
		return input(fmt.Errorf("%s: %d labels are not in %s: %s (--allow-missing accepts that)", c.Data, len(others), c.LabelsFile, lists.Quoted(others, 5, 40)))
	}
	if seen := set.Seen(); seen.Captioned+seen.Labelled == 0 {
		return input(fmt.Errorf("%s: %v: there is nothing to train on", c.Data, seen))
	}
	steps, err := c.steps(set.Len())
	if err != nil {
		return err
	}
	exam := job.Exam{Every: c.TestEvery}
	if c.Test != "" {
		test, err := c.openAs(s, c.Test, templates)
		if err != nil {
			return err
		}
		defer closing(&err, test.Close)
		exam = job.Exam{Set: test, Classes: test.Classes(), Templates: templates, Every: c.TestEvery}
	}
	var wise *job.WiseFT
	if c.WiseFT != "" {
		kept, err := c.openAs(s, c.WiseFT, templates)
		if err != nil {
			return err
		}
		defer closing(&err, kept.Close)
		wise = &job.WiseFT{Keep: job.Exam{Set: kept, Classes: kept.Classes(), Templates: templates}, Alpha: c.WiseAlpha}
	}
	var schedule job.Schedule
	if err := schedule.UnmarshalText([]byte(c.Schedule)); err != nil {
		return wrong("--schedule %w", err)
	}
	plan := job.Plan{
		Job: job.Job{
			Out: c.Out, Overwrite: c.Overwrite, Inputs: []string{c.Data, c.Test, c.WiseFT, c.TeacherFile, c.HardNegatives}, Set: set, Config: c.settings(), Steps: steps, Exam: exam,
			Compare: exam.Set != nil && c.From != "", KeepBest: c.KeepBest, Patience: c.Patience, WiseFT: wise, Longer: c.Longer,
			Batches:         dataset.BatchOptions{Size: c.BatchSize, Ledger: &dataset.Ledger{Limit: c.MaxBad}},
			CheckpointEvery: c.CheckpointEvery, Keep: c.Keep, TensorBoard: c.TensorBoard,
			Observers: []train.Observer{observe.NewProgress(s.progress, steps, s.terminal), s.warnings()},
		},
		Load: c.load(), Arch: c.Arch, Vocab: c.Vocab, Seed: c.Seed, Upright: c.Upright,
		LoRA: encoder.LoRA{Rank: c.LoRARank, Alpha: c.LoRAAlpha, Targets: c.LoRATargets},
		LR:   c.LR, Warmup: c.Warmup, Schedule: schedule, Augment: c.Augment, CropScale: c.CropScale,
	}
	plan.Config.Ranks = ranks
	negatives, err := c.texts(&plan.Config)
	if err != nil {
		return err
	}
	if err := c.models(s, &plan); err != nil {
		return err
	}
	if err := c.stored(s, set, negatives, &plan); err != nil {
		return err
	}
	training, err := plan.Open(s)
	if err != nil {
		return c.refused(err)
	}
	defer closing(&err, training.Close)
	result, err := training.Run(s)
	switch {
	case errors.Is(err, output.ErrForeign):
		return occupied(err)
	case errors.Is(err, train.ErrSchedule):
		return coded{fmt.Errorf("%w\n--longer goes on from it with the rates of this run", err), misuse}
	case errors.Is(err, job.ErrOccupied):
		return wrong("--out %s holds a model but no checkpoints to resume from: --overwrite replaces it", c.Out)
	case err != nil && (s.Err() != nil && besides(err, s.Err()) == nil || ranks != nil && besides(err, context.Canceled) == nil):
		return coded{fmt.Errorf("interrupted after step %d; the same command resumes from there", training.Steps()), interrupted}
	case err != nil:
		return err
	}
	return c.tell(s, result)
}

// warnings tells what goes wrong where there is no progress that does.
func (s *session) warnings() train.Observer {
	return train.ObserverFunc(func(e train.Event) error {
		for _, w := range e.Warnings {
			if s.progress == io.Discard {
				s.warn("step %d: %s", e.Step+1, w)
			}
		}
		return nil
	})
}

// unlisted are the labels that --labels-file does not have.
func (c *trainCommand) unlisted(labels, listed []string) (others []string) {
	if c.LabelsFile == "" {
		return nil
	}
	known := map[string]bool{}
	for _, l := range listed {
		known[lists.Key(l, c.VerbatimLabels)] = true
	}
	return slices.DeleteFunc(labels, func(l string) bool { return known[lists.Key(l, c.VerbatimLabels)] })
}

// refused says what is wrong with a plan in words of the flags.
func (c *trainCommand) refused(err error) error {
	var field *job.FieldError
	if !errors.As(err, &field) {
		return coded{err, misuse}
	}
	said := field.Err
	switch field.Field {
	case "Arch":
		if _, found, _ := job.FindArchitecture(c.Arch); !found {
			names := job.ArchitectureNames()
			said = fmt.Errorf("no --arch %s%s; there are %v, and .json files in the form of open_clip's model_configs", c.Arch, nearest(c.Arch, names), names)
		}
	case "Vocab":
		said = fmt.Errorf("--vocab %w", said)
	case "LoRA":
		said = fmt.Errorf("--lora-rank: %w", said)
	}
	if field.Unusable {
		return input(said)
	}
	return coded{said, misuse}
}

// check refuses, before anything is read, numbers that the packages cannot judge or
// would judge late, and flags that do not go together.
func (c *trainCommand) check() error {
	switch {
	case c.BatchSize < 2:
		return wrong("--batch-size %d, want 2 or more: a contrastive loss needs negatives", c.BatchSize)
	case c.Steps < 0 || c.Epochs < 1:
		return wrong("--steps %d, --epochs %d, want 1 or more", c.Steps, c.Epochs)
	case !(c.LR >= 0) || math.IsInf(c.LR, 1):
		return wrong("--lr %g, want a number of 0 or more", c.LR)
	case c.Warmup != nil && *c.Warmup < 0:
		return wrong("--warmup %d, want 0 or more", *c.Warmup)
	case c.CheckpointEvery < 1 || c.Keep < 1:
		return wrong("--checkpoint-every %d, --keep %d, want 1 or more", c.CheckpointEvery, c.Keep)
	case c.MaxBad < 0:
		return wrong("--max-bad %d, want 1 or more, or 0 for any number", c.MaxBad)
	case !(c.CropScale > 0 && c.CropScale <= 1):
		return wrong("--crop-scale %g, want a fraction above 0 and at most 1", c.CropScale)
	case c.TestEvery < 0:
		return wrong("--test-every %d, want 1 or more", c.TestEvery)
	case c.TestEvery != 0 && c.Test == "":
		return wrong("--test-every %d needs a set: --test", c.TestEvery)
	case c.Patience < 0:
		return wrong("--patience %d, want 1 or more", c.Patience)
	case (c.KeepBest || c.Patience != 0) && c.Test == "":
		return wrong("--keep-best and --patience need a set to go by: --test")
	case c.WiseFT != "" && (c.Test == "" || c.From == ""):
		return wrong("--wise-ft needs a model to fine-tune, --from, and a set of what it is tuned for, --test")
	case c.WiseAlpha != nil && c.WiseFT == "":
		return wrong("--wise-alpha needs --wise-ft")
	case c.WiseAlpha != nil && !(*c.WiseAlpha >= 0 && *c.WiseAlpha <= 1):
		return wrong("--wise-alpha %g, want 0 to 1", *c.WiseAlpha)
	case c.Distill != 0 && c.Teacher == "" && c.TeacherFile == "":
		return wrong("--distill %g needs a teacher model: --teacher", c.Distill)
	case c.Captions < 0:
		return wrong("--captions %d, want 1 or more", c.Captions)
	case c.LoRARank == 0 && (c.LoRAAlpha != 0 || c.LoRATargets != nil):
		return wrong("--lora-alpha and --lora-targets need --lora-rank")
	case c.LoRARank != 0 && c.From == "":
		return wrong("--lora-rank %d needs a model to adapt: --from", c.LoRARank)
	case c.Context < 0 || c.Context != 0 && c.From == "":
		return wrong("--context %d, want a number of tokens for the model of --from", c.Context)
	case c.From != "" && c.ImageFrom != "":
		return wrong("--image-from %s is for a new model, but --from names an existing one", c.ImageFrom)
	case c.From != "" && c.Arch != "":
		return wrong("--arch %s is for a new model, but --from names an existing one", c.Arch)
	}
	return nil
}

// load is how the model of --from is opened.
func (c *trainCommand) load() encoder.Options {
	return encoder.Options{Edited: c.Edited, ContextLength: c.Context, KeptPositions: 20}
}

// steps is the number of steps of the run.
func (c *trainCommand) steps(samples int) (int, error) {
	switch {
	case samples >= 0 && samples < c.BatchSize:
		return 0, input(fmt.Errorf("the set has %d samples, fewer than the --batch-size of %d", samples, c.BatchSize))
	case c.Steps > 0:
		return c.Steps, nil
	case samples < 0:
		return 0, wrong("the set is a stream, whose size is unknown: give --steps")
	}
	return job.Steps(c.Epochs, samples, c.BatchSize), nil
}

func (c *trainCommand) settings() train.Config {
	cfg := train.Config{
		WeightDecay: c.WeightDecay, ClipNorm: c.ClipNorm, Loss: c.loss(), Groups: c.Groups,
		LabelSmoothing: c.LabelSmoothing, LayerDecay: c.LayerDecay, PatchDropout: c.PatchDropout, EMA: c.EMA,
		Distill: c.Distill, MicroBatch: c.MicroBatch, GradCheckpointing: c.GradCheckpointing,
		Optimizer: c.Optimizer, MuonRate: c.MuonRate, Moments: c.Moments, Freeze: c.Freeze,
	}
	for _, tower := range c.Lock {
		cfg.LockImage = cfg.LockImage || tower == "image"
		cfg.LockText = cfg.LockText || tower == "text"
	}
	return cfg
}

// texts sets what a step reads beside an image and its caption, and returns the texts of
// --hard-negatives.
func (c *trainCommand) texts(cfg *train.Config) (map[string][]string, error) {
	if c.Captions > 0 {
		cfg.Texts = train.Captions(c.Captions)
	}
	if c.HardNegatives == "" {
		return nil, nil
	}
	f, err := openFile(c.HardNegatives)
	if err != nil {
		return nil, input(err)
	}
	defer f.Close()
	wrong, err := dataset.ReadWrong(f)
	if err != nil {
		return nil, input(fmt.Errorf("%s: %w", c.HardNegatives, err))
	}
	cfg.Texts = train.Negatives(max(1, c.Captions), 1, wrong)
	return wrong, nil
}

// loss is the one that was asked for, nil where none was.
func (c *trainCommand) loss() loss.Loss {
	for _, l := range []loss.Loss{loss.InfoNCE{}, loss.Sigmoid{}} {
		if l.Name() == c.Loss {
			return l
		}
	}
	return nil
}

// tell says what came out; the last event is empty where all was done before.
func (c *trainCommand) tell(s *session, r job.Result) error {
	steps, last, leftOut := r.Steps, r.Last, r.LeftOut
	said := map[string]any{"model": c.Out, "steps": steps, "left_out": leftOut}
	if r.Truncated > 0 {
		s.warn("%d of %d captions that were trained on are longer than the model's context and were cut, so their ends count for nothing", r.Truncated, r.Pairs)
	}
	if last.Pairs > 0 {
		said["truncated"], said["pairs"] = r.Truncated, r.Pairs
		said["loss"], said["chance"], said["test"] = last.Loss, last.Chance, last.Test
	}
	said["outcome"] = r.Outcome
	return s.result(said, func(w io.Writer) {
		fmt.Fprintf(w, "model: %s, after %d steps", c.Out, steps)
		if last.Pairs > 0 {
			fmt.Fprintf(w, ", loss %.3f (chance %.3f)", last.Loss, last.Chance)
		}
		fmt.Fprintln(w)
		test := last.Test
		if r.Outcome.After != nil {
			test = r.Outcome.After
		}
		for _, name := range slices.Sorted(maps.Keys(test)) {
			before := ""
			if v, ok := r.Outcome.Before[name]; ok {
				before = fmt.Sprintf(", %.1f %% before", 100*v)
			}
			fmt.Fprintf(w, "  %s: %.1f %%%s\n", name, 100*test[name], before)
		}
		if r.Outcome.WiseFT != nil {
			tellCurve(w, r.Outcome.WiseFT)
		}
		if leftOut > 0 {
			fmt.Fprintf(w, "%d samples left out: %s\n", leftOut, filepath.Join(c.Out, "left-out.jsonl"))
		}
	})
}

// tellCurve is a row for each point between the model of --from and the tuned one.
func tellCurve(w io.Writer, c *job.Curve) {
	fmt.Fprintf(w, "saved: alpha %.3g, between the model before (0) and the tuned one (1)\n", c.Alpha)
	fmt.Fprintln(w, "  alpha   tuned for     to keep")
	for _, p := range c.Points {
		tunedName, tuned, _ := job.Headline(p.Tuned)
		keptName, kept, _ := job.Headline(p.Kept)
		fmt.Fprintf(w, "  %5.2f  %s %5.1f %%  %s %5.1f %%\n", p.Alpha, tunedName, 100*tuned, keptName, 100*kept)
	}
}

// models finds, or downloads, those that the plan begins with and learns from.
func (c *trainCommand) models(s *session, plan *job.Plan) error {
	for _, m := range []struct {
		name string
		path *string
		load *encoder.Options
	}{{c.From, &plan.From, &plan.Load}, {c.ImageFrom, &plan.ImageFrom, &plan.LoadImage}, {c.Teacher, &plan.Teacher, &plan.LoadTeacher}} {
		if m.name == "" {
			continue
		}
		found, err := s.obtain(m.name)
		if err != nil {
			return err
		}
		*m.path, *m.load = found.Path, *found.Options(m.load)
	}
	return nil
}
