package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/internal/torchfile"
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

	// Own gives every parameter memory of its own. Otherwise Fill may hand out
	// views of the mapped file, which must not be written to and end at Close.
	Own bool

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
	mixed  error       // that a file beside the weights is another
	names  naming
	spec   Spec
	stored Spec // as the files say, before Options
	opts   Options
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
// In a folder with weights of several layouts open_clip's come first. Of several
// training checkpoints epoch_N.pt the last counts, and without any of them
// epoch_latest.pt. OpenAI's files need no configuration: theirs follows from the
// shapes.
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
	dir, name := filepath.Dir(path), filepath.Base(path)
	stat, err := os.Stat(path)
	isDir := err == nil && stat.IsDir()
	if isDir {
		dir = path
	}
	c.view, c.families, c.architecture = journal.Open(dir), c.opts.Families, c.opts.Architecture
	if isDir {
		if name, err = find(c.view); err != nil {
			return err
		}
	}
	if c.path, err = c.view.Path(name); err != nil {
		return err
	}
	if c.file, err = os.Stat(c.path); err != nil {
		return err
	}
	if c.weights, err = openWeights(c.path); err != nil {
		return err
	}
	c.weights = unwrap(c.weights)
	if c.layout, err = identify(&c.files); err != nil {
		return err
	}
	if c.stored, c.names, err = c.layout.read(&c.files); err != nil {
		return err
	}
	c.stored.Layout = c.layout.name
	if err := c.stored.Validate(); err != nil {
		return err
	}
	if err := c.resize(); err != nil {
		return err
	}
	return compare(&c.files) // last: what is wrong with a file says more than that it is another
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
	return c.view.Check()
}

// Close closes the file. Parameters that Fill gave views of it must not be used
// any more, unless Options.Own was set.
func (c *Checkpoint) Close() (err error) {
	if c.weights != nil {
		err = c.weights.Close()
	}
	if c.view != nil {
		err = errors.Join(err, c.view.Close())
	}
	return err
}

// anyEpoch stands for the latest checkpoint of open_clip's training.
const anyEpoch = "epoch_N.pt"

// lastEpoch returns the name of the latest checkpoint of open_clip's training.
func lastEpoch(dir string) string {
	last, name := -1, anyEpoch
	entries, _ := os.ReadDir(dir) // a folder that cannot be read has none
	for _, e := range entries {
		stem, pt := strings.CutSuffix(e.Name(), ".pt")
		number, epoch := strings.CutPrefix(stem, "epoch_")
		if n, err := strconv.Atoi(number); pt && epoch && err == nil && n > last {
			last, name = n, e.Name()
		}
	}
	return name
}

func openWeights(path string) (weights, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".safetensors":
		return opened(safetensors.Open(path))
	case ".json":
		if strings.HasSuffix(path, ".index.json") {
			return opened(safetensors.OpenSharded(path))
		}
	case ".pt", ".pth", ".bin":
		return opened(torchfile.Open(path))
	}
	return nil, fmt.Errorf("%s: the name of a file of weights ends in .safetensors, .index.json, .pt, .pth or .bin", filepath.Base(path))
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
	if size := c.opts.ImageSize; size != [2]int{} && c.spec.Vision != nil && size != c.spec.Vision.Dims().ImageSize {
		r, ok := c.spec.Vision.(vision.Resizer)
		if !ok {
			return fmt.Errorf("image size %v: an image tower of family %s has no position embeddings that can be resized", size, c.spec.Vision.Family())
		}
		c.spec.Vision = r.Resized(size)
		if p := c.stored.Preprocess; p != nil {
			q := *p
			q.Size = size
			c.spec.Preprocess = &q
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
