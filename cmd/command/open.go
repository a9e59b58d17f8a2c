package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goclip/goclip/convert"
	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/arrow"
	"github.com/goclip/goclip/dataset/parquet"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/internal/lists"
	"github.com/goclip/goclip/vision"
)

// modelFlags say which model.
type modelFlags struct {
	Model     string `required:"" placeholder:"MODEL" help:"Model: a folder, a file of weights, or a name (goclip pull --help)."`
	TextModel string `placeholder:"MODEL" help:"Model whose text tower and tokenizer take the place of those of MODEL, such as a multilingual one that was trained towards its features; by name too."`
	BatchSize int    `default:"32" help:"Images per forward pass: more take more memory and change no result."`
	Edited    bool   `help:"Accept configuration and tokenizer files that were changed since the model was saved."`
	precisionFlag

	draft   bool  // see encoder.Options
	upright *bool // see encoder.Options
}

// precisionFlag says what a model is computed with.
type precisionFlag struct {
	Precision encoder.Precision `enum:"float32,float16,bfloat16,int8" default:"float32" help:"int8 computes linear layers with integers: about twice as fast, weights of a quarter of the memory, embeddings that differ a little and need an index of their own. float16 and bfloat16 keep the weights of linear layers so, in half the memory, and compute in float32."`
}

// uprightFlag is of commands that are for photographs of one's own.
type uprightFlag struct {
	Upright bool `default:"true" negatable:"" help:"Turn photographs as their files say that they should be seen. The published evaluations take them as they are stored, and so does goclip eval."`
}

// draftFlag is of commands that compare photographs of one's own, never of evaluations.
type draftFlag struct {
	Draft bool `help:"Decode JPEG files at a half, a quarter or an eighth of their size, where that is twice the model's or more: 12 megapixels take little more than half the time, for embeddings that differ a little. An index remembers it."`
}

// need says what a command does with a model.
type need struct{ images, words bool }

func (f *modelFlags) load(s *session, n need) (*encoder.Model, error) {
	if f.BatchSize < 1 {
		return nil, wrong("--batch-size %d, want 1 or more", f.BatchSize)
	}
	o := &encoder.Options{BatchSize: f.BatchSize, Edited: f.Edited, Draft: f.draft, Upright: f.upright, Precision: f.Precision}
	m, err := s.model(f.Model, o)
	if err != nil {
		return nil, err
	}
	if f.TextModel != "" {
		words, err := s.model(f.TextModel, o)
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		joined, err := encoder.Join(m, words)
		if err != nil {
			return nil, input(errors.Join(fmt.Errorf("%s with the text tower of %s: %w", f.Model, f.TextModel, err), m.Close(), words.Close()))
		}
		m = joined
	}
	if err := n.of(m); err != nil {
		return nil, input(errors.Join(fmt.Errorf("%s: %w", f.Model, err), m.Close()))
	}
	return m, nil
}

// of says what a model lacks.
func (n need) of(m *encoder.Model) error {
	switch {
	case n.images && m.Vision() == nil:
		return errors.New("the model has no image tower, so it cannot encode images: if it was trained towards the features of another model, name that one as --model and this one as --text-model")
	case n.words && m.Text() == nil:
		return errors.New("the model has no text tower, so it cannot encode words")
	case n.words && m.Tokenizer() == nil:
		return errors.New("the model has no tokenizer, so it cannot encode words: its folder lacks vocab.json with merges.txt, tokenizer.json, bpe_simple_vocab_16e6.txt.gz or what else its kind of model ships, such as spiece.model")
	}
	return nil
}

// imageFlags say how image files are read.
type imageFlags struct {
	AllowTruncated bool `help:"Read what is left of images that end early or are damaged, instead of leaving them out."`
}

// decode returns how single files are read.
func (f *imageFlags) decode(ctx context.Context) *vision.DecodeOptions {
	return &vision.DecodeOptions{AllowTruncated: f.AllowTruncated, Converter: convert.New(ctx, nil)}
}

// leftOutFlag is of commands that keep no list of their own.
type leftOutFlag struct {
	LeftOut string `placeholder:"FILE" help:"File for all that is left out, as JSON lines. Default: where there is more than is shown, a file that is named then."`
}

// dataFlags say which set, and how it is read.
type dataFlags struct {
	Data string `required:"" placeholder:"SET" help:"Set of images: a table, class folders, a tar, shards as train-{000..012}.tar."`
	setFlags
}

// setFlags say how sets are read.
type setFlags struct {
	imageFlags
	ImageKey   string `placeholder:"NAME" help:"Column or field with the image's path; common names are recognised."`
	CaptionKey string `placeholder:"NAME" help:"Column or field of the caption."`
	LabelKey   string `placeholder:"NAME" help:"Column or field of the label."`

	Shape   dataset.Shape `default:"any" placeholder:"SHAPE" help:"How the set's files belong together, where that is not to be found out: images, classes, pairs, captions, tables, tars or containers."`
	Exclude []string      `placeholder:"PATTERN" help:"Files and folders to leave out, such as thumbs or *.gif."`

	AllowOutside   bool `help:"Follow paths in a table that are absolute or lead out of its folder."`
	VerbatimLabels bool `help:"Take labels as they are written. Otherwise underscores and repeated spaces are spaces, in Unicode's composed form, in captions and prompts, and labels of the same words are one class."`

	names map[string]string // of labels, by numbers and ids
	draft int               // see dataset.Options
}

func (f *dataFlags) open(ctx context.Context, templates []string) (*dataset.Set, error) {
	return f.openAs(ctx, f.Data, templates)
}

func (f *setFlags) openAs(ctx context.Context, name string, templates []string) (*dataset.Set, error) {
	set, err := dataset.Open(name, &dataset.Options{
		ImageKey: f.ImageKey, CaptionKey: f.CaptionKey, LabelKey: f.LabelKey, Templates: templates,
		Shape: f.Shape, Exclude: f.Exclude, Formats: formats(),
		AllowTruncated: f.AllowTruncated, Converter: convert.New(ctx, nil), Draft: f.draft,
		AllowOutside: f.AllowOutside, VerbatimLabels: f.VerbatimLabels, Names: f.names,
	})
	return set, input(err)
}

// formats are the tables that need a library.
func formats() []dataset.Format { return []dataset.Format{parquet.Format{}, arrow.Format{}} }

// promptFlags say how a label is put into words.
type promptFlags struct {
	Template  []string `sep:"none" placeholder:"TEXT" help:"Prompt for a label, which takes the place of {}; may be given several times. Default: a photo of a {}"`
	Templates string   `placeholder:"FILE" help:"File with prompts: one a line, several in quotes, or a list of Python or JSON, as CLIP's and CLIP_benchmark's are published."`
}

func (f *promptFlags) list() ([]string, error) {
	for i, t := range f.Template {
		t = lists.Template(t)
		f.Template[i] = t
		if !strings.Contains(t, "{}") {
			return nil, wrong("--template %q has no {} for the label", t)
		}
	}
	if f.Templates == "" {
		if len(f.Template) == 0 {
			return []string{"a photo of a {}"}, nil
		}
		return f.Template, nil
	}
	file, err := openFile(f.Templates)
	if err != nil {
		return nil, input(err)
	}
	defer file.Close()
	more, err := eval.ReadTemplates(file)
	if err != nil {
		return nil, input(fmt.Errorf("%s: %w", f.Templates, err))
	}
	return append(f.Template, more...), nil
}

// labelFlags name classes.
type labelFlags struct {
	Labels     []string `placeholder:"A,B,C" help:"Labels, separated by commas; spaces beside a comma do not count, and \\, is a comma of a label."`
	LabelsFile string   `placeholder:"FILE" help:"File of labels: one a line, with numbers or ids such as n01440764 before it or not, a table with a column label, or a list or map of Python or JSON. Lines that begin with # are comments."`
}

// list returns the labels, and what numbers and ids of a file stand for.
func (f *labelFlags) list() (labels []string, byID map[string]string, err error) {
	for i, l := range f.Labels {
		if l = strings.TrimSpace(l); l == "" {
			return nil, nil, wrong("label %d is empty", i+1)
		}
		labels = append(labels, l)
	}
	if f.LabelsFile == "" {
		return labels, nil, nil
	}
	file, err := openFile(f.LabelsFile)
	if err != nil {
		return nil, nil, input(err)
	}
	defer file.Close()
	more, err := eval.ReadLabels(file, f.LabelsFile)
	if err != nil {
		return nil, nil, input(fmt.Errorf("%s: %w", f.LabelsFile, err))
	}
	names, byID := eval.LabelNames(more)
	return append(labels, names...), byID, nil
}

// twice says which labels occur more than once; nothing where none does.
func twice(labels []string, verbatim bool) string {
	first, again := map[string]int{}, []string{}
	for i, l := range labels {
		key := lists.Key(l, verbatim)
		if j, ok := first[key]; ok {
			again = append(again, fmt.Sprintf("%q (%d and %d)", l, j, i))
		} else {
			first[key] = i
		}
	}
	if len(again) == 0 {
		return ""
	}
	more := ""
	if len(again) > 5 {
		more = fmt.Sprintf(" and %d more", len(again)-5)
	}
	return strings.Join(again[:min(5, len(again))], ", ") + more
}

// closing joins the error of closing something to that of using it.
func closing(err *error, close func() error) { *err = errors.Join(*err, close()) }
