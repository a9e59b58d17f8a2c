package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/goclip/goclip/convert"
	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

type infoCommand struct {
	Path    string        `arg:"" help:"A model, an index or a set of images; or the name of a model, or of one of open_clip's configurations."`
	Shape   dataset.Shape `default:"any" placeholder:"SHAPE" help:"Of a set: how its files belong together, where that is not to be found out."`
	Exclude []string      `placeholder:"PATTERN" help:"Of a set: files and folders to leave out."`
	Params  bool          `help:"List the parameters of a model with their shapes."`
	Edited  bool          `help:"Accept configuration and tokenizer files that were changed since the model was saved."`
	precisionFlag
}

func (infoCommand) Help() string {
	return `Says which of these a path is, and what is in it. Of a model: its kind, sizes, parameters, the operations and the memory that it takes, how images and captions are prepared, and its licence where its card states one.

    goclip info model
    goclip info train.csv --json
    goclip info ViT-B-16-SigLIP2              one of open_clip's configurations: no weights are needed, and no network
    goclip info ViT-B-32/laion2b_s34b_b79k    one of open_clip's models: from the cache, or else its configuration
    goclip info openai/clip-vit-base-patch32  from the cache, or else downloaded`
}

func (c *infoCommand) Run(s *session) error {
	source, err := hub.Resolve(c.Path)
	if err != nil {
		return coded{err, misuse}
	}
	if source.Path == "" {
		return c.named(s, source.Tag)
	}
	if _, err := os.Stat(source.Path); errors.Is(err, fs.ErrNotExist) && !strings.Contains(c.Path, "{") {
		if _, ok := encoder.ConfigByName(c.Path); ok {
			return c.configuration(s, c.Path, nil)
		}
		return input(fmt.Errorf("%w%s", err, similar(c.Path)))
	}
	m, err1 := encoder.Load(source.Path, &encoder.Options{Edited: c.Edited, Precision: c.Precision})
	if err1 == nil {
		defer m.Close()
		return c.model(s, m, nil, folder(source.Path))
	}
	x, err2 := photos.Open(c.Path, nil)
	if err2 == nil {
		defer x.Close()
		return s.result(map[string]any{"kind": "index", "entries": x.Len(), "dim": x.Dim(), "upright": x.Upright(), "draft": x.Draft(), "rows": x.Rows()}, func(w io.Writer) {
			fmt.Fprintf(w, "an index of %d images, %d numbers each\nphotographs: %s\n", x.Len(), x.Dim(), turned(x.Upright()))
			if x.Rows() != index.Float32 {
				fmt.Fprintf(w, "rows: %v, searched by bytes first\n", x.Rows())
			}
			if x.Draft() {
				fmt.Fprintln(w, "JPEG files: decoded at a part of their size, see --draft")
			}
		})
	}
	set, err3 := dataset.Open(c.Path, &dataset.Options{Shape: c.Shape, Exclude: c.Exclude, Formats: formats(), Converter: convert.New(s, nil)})
	if err3 == nil {
		defer set.Close()
		return c.set(s, set)
	}
	return input(fmt.Errorf("%s is neither a model (%w) nor an index (%w) nor a set of images (%w)", c.Path, err1, err2, err3))
}

// named describes a model by its name: the one that is here, or else the configuration of
// open_clip's tag, which needs no download.
func (c *infoCommand) named(s *session, tag *hub.Tag) (err error) {
	if tag != nil {
		if _, err := s.hub().Find(c.Path); errors.Is(err, hub.ErrNotFound) {
			return c.configuration(s, tag.Architecture(), tag)
		}
	}
	found, err := s.obtain(c.Path)
	if err != nil {
		return err
	}
	m, err := found.Load(&encoder.Options{Edited: c.Edited, Precision: c.Precision})
	if err != nil {
		return input(err)
	}
	defer closing(&err, m.Close)
	return c.model(s, m, found, found.License)
}

// turned says what is done with a photograph that lies on its side.
func turned(upright bool) string {
	if upright {
		return "turned upright, as their files say that they should be seen"
	}
	return "as they are stored, not turned upright"
}

type setInfo struct {
	Kind     string        `json:"kind"`
	Samples  int           `json:"samples"` // -1: nobody knows before it is read
	Classes  []string      `json:"classes"`
	Captions int           `json:"captions"`
	Faults   int           `json:"faults"`
	Seen     int           `json:"seen"` // samples that the counts are of
	Key      string        `json:"first_key"`
	Caption  string        `json:"first_caption"`
	Shape    dataset.Shape `json:"shape"`
	Saw      string        `json:"saw"`
}

// seen is the number of samples that are looked at.
const seen = 100_000

var errSeen = errors.New("seen enough")

func (c *infoCommand) set(s *session, set *dataset.Set) error {
	i := setInfo{Kind: "set", Samples: set.Len(), Classes: set.Classes(), Shape: set.Seen().Shape, Saw: set.Seen().String()}
	if err := i.read(s, set); err != nil && !errors.Is(err, errSeen) {
		return input(err)
	}
	return s.result(i, func(w io.Writer) {
		size := fmt.Sprint(i.Samples, " samples")
		if i.Samples < 0 {
			size = "a stream of samples"
		}
		fmt.Fprintf(w, "a set of images: %s, %d classes\n", size, len(i.Classes))
		fmt.Fprintf(w, "shape %v: %s\n", i.Shape, i.Saw)
		fmt.Fprintf(w, "of the first %d: %d captions, %d cannot be used\n", i.Seen, i.Captions, i.Faults)
		fmt.Fprintf(w, "the first: %s: %q\n", i.Key, i.Caption)
	})
}

// read counts what is known without decoding images.
func (i *setInfo) read(ctx context.Context, set *dataset.Set) error {
	for sample, err := range set.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return err
		}
		i.Captions += len(sample.Words())
		if sample.Fault != nil {
			i.Faults++
		}
		if words := sample.Words(); i.Caption == "" && len(words) > 0 {
			i.Key, i.Caption = sample.Key, words[0]
		} else if i.Key == "" {
			i.Key = sample.Key
		}
		if i.Seen++; i.Seen == seen {
			return errSeen
		}
	}
	return nil
}
