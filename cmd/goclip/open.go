package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/arrow"
	"github.com/goclip/goclip/dataset/parquet"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
)

// modelFlags say which model.
type modelFlags struct {
	Model     string `required:"" placeholder:"MODEL" help:"Model: a folder, a file of weights, or a name (goclip pull --help)."`
	TextModel string `placeholder:"MODEL" help:"Model whose text tower and tokenizer take the place of those of MODEL, such as a multilingual one that was trained towards its features."`
	BatchSize int    `default:"32" help:"Images per forward pass: more take more memory and change no result."`
	Edited    bool   `help:"Accept configuration and tokenizer files that were changed since the model was saved."`
}

// need says what a command does with a model.
type need struct{ images, words bool }

func (f *modelFlags) load(s *session, n need) (*encoder.Model, error) {
	if f.BatchSize < 1 {
		return nil, wrong("--batch-size %d, want 1 or more", f.BatchSize)
	}
	o := &encoder.Options{BatchSize: f.BatchSize, Edited: f.Edited}
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
		return errors.New("the model has no image tower, so it cannot encode images")
	case n.words && m.Text() == nil:
		return errors.New("the model has no text tower, so it cannot encode words")
	case n.words && m.Tokenizer() == nil:
		return errors.New("the model has no tokenizer, so it cannot encode words: its folder lacks vocab.json with merges.txt, tokenizer.json, bpe_simple_vocab_16e6.txt.gz or what else its kind of model ships, such as spiece.model")
	}
	return nil
}

// dataFlags say which set, and how it is read.
type dataFlags struct {
	Data       string `required:"" placeholder:"SET" help:"Set of images: a table, class folders, a tar, shards as train-{000..012}.tar."`
	ImageKey   string `placeholder:"NAME" help:"Column or field with the image's path; common names are recognised."`
	CaptionKey string `placeholder:"NAME" help:"Column or field of the caption."`
	LabelKey   string `placeholder:"NAME" help:"Column or field of the label."`

	Shape   dataset.Shape `default:"any" placeholder:"SHAPE" help:"How the set's files belong together, where that is not to be found out: images, classes, pairs, captions, tables, tars or containers."`
	Exclude []string      `placeholder:"PATTERN" help:"Files and folders to leave out, such as thumbs or *.gif."`
	LeftOut string        `placeholder:"FILE" help:"File for all that is left out, as JSON lines. Default: where there is more than is shown, a file that is named then."`
}

func (f *dataFlags) open(templates []string) (*dataset.Set, error) {
	return f.openAs(f.Data, templates)
}

func (f *dataFlags) openAs(name string, templates []string) (*dataset.Set, error) {
	set, err := dataset.Open(name, &dataset.Options{
		ImageKey: f.ImageKey, CaptionKey: f.CaptionKey, LabelKey: f.LabelKey, Templates: templates,
		Shape: f.Shape, Exclude: f.Exclude, Formats: formats(),
	})
	return set, input(err)
}

// formats are the tables that need a library.
func formats() []dataset.Format { return []dataset.Format{parquet.Format{}, arrow.Format{}} }

// promptFlags say how a label is put into words.
type promptFlags struct {
	Template  []string `sep:"none" placeholder:"TEXT" help:"Prompt for a label, which takes the place of {}; may be given several times. Default: a photo of a {}"`
	Templates string   `placeholder:"FILE" help:"File with one prompt a line, as CLIP's are published."`
}

func (f *promptFlags) list() ([]string, error) {
	for _, t := range f.Template {
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
	Labels     []string `placeholder:"A,B,C" help:"Labels, separated by commas."`
	LabelsFile string   `placeholder:"FILE" help:"File with one label a line."`
}

func (f *labelFlags) list() ([]string, error) {
	labels := f.Labels
	if f.LabelsFile != "" {
		file, err := openFile(f.LabelsFile)
		if err != nil {
			return nil, input(err)
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				labels = append(labels, line)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, input(fmt.Errorf("%s: %w", f.LabelsFile, err))
		}
		if len(labels) == 0 {
			return nil, input(fmt.Errorf("%s: no labels, want one a line", f.LabelsFile))
		}
	}
	for i, l := range labels {
		if strings.TrimSpace(l) == "" {
			return nil, wrong("label %d is empty", i+1)
		}
		if slices.Contains(labels[:i], l) {
			return nil, wrong("the label %q is there twice", l)
		}
	}
	return labels, nil
}

// openFile opens a regular file: a pipe would wait for a writer.
func openFile(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return os.Open(path)
}

// closing joins the error of closing something to that of using it.
func closing(err *error, close func() error) { *err = errors.Join(*err, close()) }
