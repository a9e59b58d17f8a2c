package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// Options change how a checkpoint is read. Nil means the zero value.
type Options struct {
	// ImageSize, where not zero, is the height and width the image tower shall
	// read instead of its own, and ContextLength the text tower's number of
	// positions. The Spec then says so, and Fill resizes the position embeddings
	// as the layout's reference does. A ResNet cannot be resized.
	ImageSize     [2]int
	ContextLength int

	// KeptPositions is how many of the first position embeddings of the text tower stay as
	// they are where ContextLength is above the checkpoint's, see stretchLine; zero is none,
	// and all are resized.
	KeptPositions int

	// Prepared is the size at which the caller prepares images by other rules than the
	// checkpoint's; zero where it has none. See [Spec].Adapts.
	Prepared [2]int

	// Own gives every parameter memory of its own. Otherwise Fill may hand out
	// views of the mapped file, which must not be written to and end at Close.
	Own bool

	// Halves, F16 or BF16 where it is not empty, has the weights of linear layers kept so,
	// rounded to nearest where the file has more.
	Halves tensorfile.DType

	// Edited reads files beside the weights that are not those they were saved with.
	Edited bool

	// Architecture is the name of a published configuration, for weights in open_clip's
	// layout that have none beside them.
	Architecture string

	// Families are towers of the caller's own, for goclip's own layout.
	Families Families
}

// Checkpoint is an open checkpoint. Its methods may be called from several
// goroutines at once, Close excepted.
type Checkpoint struct {
	files
	layout layout
	file   fs.FileInfo // of the weights
	// adapter is the folder of an adapter to the model, often the model's own; nil without.
	adapter *journal.View
	mixed   error // that a file beside the weights is another
	names   naming
	spec    Spec
	stored  Spec // as the files say, before Options
	opts    Options
}

// weights is what files of tensors have in common.
type weights interface {
	Names() []string
	Info(name string) (info tensorfile.Info, ok bool)
	Float32(name string, dst []float32) error
	View(name string) (v []float32, ok bool)
	Release(name string)
	Close() error
}

// Open opens a folder, or a file of weights with its configuration beside it.
// It reads the configuration and the names and shapes of all tensors, and checks
// that the towers can compute what the model computes; it reads no weights.
//
// An adapter of PEFT in the folder is merged in; in a folder of its own it is merged in
// its base, a folder of that name beside it. In a folder of sentence-transformers its
// CLIPModel is opened.
//
// In a folder with weights of several layouts open_clip's come first. Of several
// training checkpoints epoch_N.pt the last counts, and without any of them
// epoch_latest.pt. OpenAI's files need no configuration: theirs follows from the
// shapes.
//
// A model within another, as training programs save it, is found by its tensors' names.
// Where there are several, or others beside it, path ends in # and the prefix of the
// model's names: last.ckpt#student.
//
// Where a writer replaces the files meanwhile it reads again.
func Open(path string, opts *Options) (*Checkpoint, error) {
	var c *Checkpoint
	tries := 0
	err := journal.Again(func() (err error) {
		c = &Checkpoint{}
		if opts != nil {
			c.opts = *opts
		}
		err = c.open(path)
		if changed := c.unchanged(); changed != nil {
			err = changed // whatever else was wrong
		}
		if errors.Is(err, errMixed) {
			// Somebody may be copying a folder. What stays as it is was edited: whether
			// it fits is more to the point, which Fill says.
			if tries++; tries < 4 {
				err = fmt.Errorf("%w: %w", journal.ErrChanged, err)
			} else {
				c.mixed, err = err, nil
			}
		}
		if err != nil {
			err = errors.Join(err, c.Close())
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return c, nil
}

func (c *Checkpoint) open(path string) error {
	path, part := splitPart(path)
	dir, name := filepath.Dir(path), filepath.Base(path)
	stat, err := os.Stat(path)
	isDir := err == nil && stat.IsDir()
	if isDir {
		if dir, err = clipModule(path); err != nil {
			return err
		}
	}
	c.families, c.architecture = c.opts.Families, c.opts.Architecture
	if isDir {
		name, err = c.search(dir)
	} else {
		c.view = journal.Open(dir)
	}
	if err != nil {
		return err
	}
	if c.path, err = c.view.Path(name); err != nil {
		return err
	}
	if c.file, err = os.Stat(c.path); err != nil {
		return err
	}
	stored, err := openWeights(c.path)
	if err != nil {
		return err
	}
	c.weights = stored // for Close
	own, err := unwrap(stored, part)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(c.path), err)
	}
	c.weights = own
	if c.layout, err = identify(&c.files); err != nil {
		return err
	}
	if c.stored, c.names, err = c.layout.read(&c.files); err != nil {
		return err
	}
	c.stored.Layout = c.layout.name
	if !c.stored.Adapts {
		if err := c.stored.Validate(); err != nil {
			return err
		}
	}
	if err := c.resize(); err != nil {
		return err
	}
	if err := compare(&c.files); err != nil { // last: what is wrong with a file says more than that it is another
		return err
	}
	return c.adapt()
}

// search opens the view of a folder, and finds its file of weights. Where the folder
// holds an adapter alone both are of the model that the adapter is for.
func (c *Checkpoint) search(dir string) (name string, err error) {
	c.view = journal.Open(dir)
	if c.view.Exists(adapterConfigFile) {
		c.adapter = c.view
	}
	if name, err = find(c.view); err == nil || c.adapter == nil {
		return name, err
	}
	config, err := parse(&files{view: c.adapter}, adapterConfigFile, parsePEFT)
	if err != nil {
		return "", err
	}
	base, err := config.baseFolder(dir)
	if err != nil {
		return "", err
	}
	c.view = journal.Open(base)
	if c.view.Exists(adapterConfigFile) {
		return "", fmt.Errorf("the base of the adapter, %s, has an adapter itself, which is not supported", base)
	}
	return find(c.view)
}

// adapt merges the adapter of PEFT, where there is one. PEFT calls tensors what
// transformers does.
func (c *Checkpoint) adapt() error {
	if c.adapter == nil {
		return nil
	}
	if c.layout.name != HuggingFace {
		return fmt.Errorf("%s beside %s is of an adapter to a model of transformers, which that file is not: take it away, or name the file of weights",
			adapterConfigFile, filepath.Base(c.path))
	}
	config, err := parse(&files{view: c.adapter}, adapterConfigFile, parsePEFT)
	if err != nil {
		return err
	}
	adapter, err := openAdapter(c.adapter)
	if err != nil {
		return err
	}
	merged, err := adapt(c.weights, adapter, &config)
	if err != nil {
		return errors.Join(err, adapter.Close())
	}
	c.weights = merged
	return nil
}

// splitPart takes PREFIX off FILE#PREFIX, which reads the tensors alone whose names begin
// with it; a file of the whole name goes before.
func splitPart(path string) (file, part string) {
	at := strings.LastIndexByte(path, '#')
	if at < 0 {
		return path, ""
	}
	if _, err := os.Stat(path); err == nil {
		return path, ""
	}
	return path[:at], path[at+1:]
}

// Spec returns what the checkpoint says about the model.
func (c *Checkpoint) Spec() Spec {
	s := c.spec
	if s.Preprocess != nil {
		p := *s.Preprocess
		s.Preprocess = &p
	}
	return s
}

// TokenizerFS returns the folder of the checkpoint, where its tokenizer lies if
// it came with one. Until Fill, opening a file fails with [journal.ErrChanged] where a
// writer has replaced the checkpoint.
func (c *Checkpoint) TokenizerFS() fs.FS { return c.view }

// File describes the file of weights.
func (c *Checkpoint) File() fs.FileInfo { return c.file }

// unchanged fails with [journal.ErrChanged] where a writer has replaced the checkpoint.
func (c *Checkpoint) unchanged() error {
	if c.view == nil {
		return nil
	}
	err := c.view.Check()
	if c.adapter != nil && c.adapter != c.view {
		err = errors.Join(err, c.adapter.Check())
	}
	return err
}

// Close closes the file. Parameters that Fill gave views of it must not be used
// any more, unless Options.Own was set.
func (c *Checkpoint) Close() (err error) {
	if c.weights != nil {
		err = c.weights.Close()
	}
	return errors.Join(err, c.closeViews())
}

func (c *Checkpoint) closeViews() (err error) {
	if c.view != nil {
		err = c.view.Close()
	}
	if c.adapter != nil && c.adapter != c.view {
		err = errors.Join(err, c.adapter.Close())
	}
	return err
}

// opened keeps a nil *File from becoming weights that are not nil.
func opened[F weights](f F, err error) (weights, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// resize applies the options to the spec.
func (c *Checkpoint) resize() error {
	c.spec = c.stored
	size := c.opts.ImageSize
	if size == [2]int{} && c.stored.Adapts {
		if size = c.opts.Prepared; size == [2]int{} && c.stored.Preprocess != nil {
			size = c.stored.Preprocess.Size
		}
	}
	if size != [2]int{} && c.spec.Vision != nil && size != c.spec.Vision.Dims().ImageSize {
		r, ok := c.spec.Vision.(vision.Resizer)
		if !ok {
			return fmt.Errorf("image size %v: an image tower of family %s has no position embeddings that can be resized", size, c.spec.Vision.Family())
		}
		c.spec.Vision = r.Resized(size)
		if p := c.stored.Preprocess; p != nil {
			c.spec.Preprocess = resized(p, size)
		}
	}
	if n := c.opts.ContextLength; n != 0 && c.spec.Text != nil && n != c.spec.Text.Dims().ContextLength {
		r, ok := c.spec.Text.(text.Resizer)
		if !ok {
			return fmt.Errorf("context length %d: a text tower of family %s has no position embeddings that can be resized", n, c.spec.Text.Family())
		}
		c.spec.Text = r.Resized(n)
	}
	return c.spec.Validate()
}

// resized is preprocessing for images of another size; what they are scaled to before
// they are cut changes with it.
func resized(p *vision.Preprocess, size [2]int) *vision.Preprocess {
	q := *p
	for i := range size {
		if p.Size[i] > 0 {
			q.Scale[i] = int(math.Round(float64(p.Scale[i]) * float64(size[i]) / float64(p.Size[i])))
		}
	}
	q.Size = size
	return &q
}
