package dataset

import (
	"context"
	"fmt"
	"image"
	"io"
	"path"
	"strings"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/lists"
	"github.com/goclip/goclip/internal/pillow"
)

// Options says how [Open] reads a set. The zero value, and nil, will do for most.
type Options struct {
	// Shape says how the files belong together, where that is not to be found out.
	Shape Shape

	// Exclude are patterns, as [path.Match] has them, of files and folders that are
	// left out: of names, or of paths within the set.
	Exclude []string

	// Formats read tables that the package itself does not, such as those of
	// packages dataset/parquet and dataset/arrow.
	Formats []Format

	// Columns of a table (CSV header, JSON field). Where one is empty, the
	// names that common sets use are tried, in this order:
	//
	//	image    image, file_name, filepath, filename, path, img, image_name, image_path, file, id
	//	caption  caption, captions, text, title, comment, description, sentence, alt_text, productDisplayName, txt
	//	label    label, class, category, class_id, class_name, breed, species, cls
	//
	// Letters, spaces and underscores may differ. Without a column of a known name
	// the one whose fields name images is taken.
	ImageKey, CaptionKey, LabelKey string

	// Separator of a CSV's columns, an ASCII character. 0 takes the comma, the
	// tab or the semicolon, whichever the header line has most of.
	Separator rune

	// Templates are the captions of an image that has only a label: {} is
	// replaced by its words. Empty means "a photo of a {}".
	//
	// The words of a label are the label in Unicode's composed form, with spaces for
	// underscores, one where there are several, none before a comma and one behind it
	// unless digits stand on both its sides. Classifiers of package encoder use the
	// same, and labels of the same words are one class everywhere.
	Templates []string

	// VerbatimLabels takes labels for words as they are written.
	VerbatimLabels bool

	// Names are what labels are called that a set writes otherwise, such as WordNet's
	// ids or numbers: label l is Names[l] where there is one.
	Names map[string]string

	// Classes are the class names for labels that are numbers: label i is
	// Classes[i], unless it is the name of one of them itself.
	Classes []string

	// AllowOutside allows paths in a table that are absolute or lead out of the
	// table's folder, and follows links that lead out of the set. Only [Open] reads it.
	AllowOutside bool

	// Stream reads tars sequentially, without an index, in bounded memory.
	// Compressed tars are always read this way.
	Stream bool

	// Buffer (samples) and BufferBytes limit the shuffle buffer of a stream,
	// which also shuffles the order of its shards; 0 means 1000 and 256 MiB.
	Buffer      int
	BufferBytes int64

	// An image with more pixels (width × height) or more encoded bytes is a bad
	// sample. 0 means 178,956,970 (Pillow's limit) and 64 MiB.
	MaxPixels int
	MaxBytes  int64

	// AllowTruncated reads what is left of an image that ends early or is damaged,
	// which is a bad sample otherwise.
	AllowTruncated bool

	// MaxTableBytes bounds the text of one table, unpacked; 0 means 4 GiB.
	MaxTableBytes int64

	// Converter reads HEIC, AVIF, JPEG XL and JPEG 2000, which are bad samples
	// without it: [github.com/goclip/goclip/convert.New] makes one of programs
	// that are installed.
	Converter Converter
	// Draft is that of vision.DecodeOptions.
	Draft int

	named map[string]bool // Classes
}

// Converter is vision.Converter.
type Converter = pillow.Converter

// ready checks the options and fills in the defaults.
func (o *Options) ready() (*Options, error) {
	c := Options{}
	if o != nil {
		c = *o
	}
	for _, t := range c.Templates {
		if !strings.Contains(t, "{}") {
			return nil, fmt.Errorf("dataset: options: template %q has no {}", t)
		}
	}
	if c.Separator < 0 || c.Separator > 127 || c.Separator == '"' || c.Separator == '\n' || c.Separator == '\r' {
		return nil, fmt.Errorf("dataset: options: Separator %q, want another ASCII character", c.Separator)
	}
	if c.Buffer < 0 || c.BufferBytes < 0 || c.MaxPixels < 0 || c.MaxBytes < 0 || c.Draft < 0 {
		return nil, fmt.Errorf("dataset: options: a limit is negative: Buffer %d, BufferBytes %d, MaxPixels %d, MaxBytes %d, Draft %d",
			c.Buffer, c.BufferBytes, c.MaxPixels, c.MaxBytes, c.Draft)
	}
	c.named = make(map[string]bool, len(c.Classes))
	for _, name := range c.Classes {
		c.named[lists.Key(name, c.VerbatimLabels)] = true
	}
	if c.MaxTableBytes < 0 {
		return nil, fmt.Errorf("dataset: options: MaxTableBytes %d, want 0 or more", c.MaxTableBytes)
	}
	for _, p := range c.Exclude {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("dataset: options: Exclude %q: %w", p, err)
		}
	}
	if err := enum.Valid(c.Shape, shapeNames()); err != nil {
		return nil, fmt.Errorf("dataset: options: Shape %w", err)
	}
	if c.MaxTableBytes == 0 {
		c.MaxTableBytes = 4 << 30
	}
	if len(c.Templates) == 0 {
		c.Templates = []string{"a photo of a {}"}
	}
	if c.Buffer == 0 {
		c.Buffer = 1000
	}
	if c.BufferBytes == 0 {
		c.BufferBytes = 256 << 20
	}
	if c.MaxPixels == 0 {
		c.MaxPixels = pillow.DefaultMaxPixels
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 64 << 20
	}
	return &c, nil
}

func (o *Options) imageKeys() []string {
	return keys(o.ImageKey, "image", "file_name", "filepath", "filename", "path", "img", "image_name", "image_path", "file", "id")
}

func (o *Options) captionKeys() []string {
	return keys(o.CaptionKey, "caption", "captions", "text", "title", "comment", "description", "sentence", "alt_text", "productDisplayName", "txt")
}

func (o *Options) labelKeys() []string {
	return keys(o.LabelKey, "label", "class", "category", "class_id", "class_name", "breed", "species", "cls")
}

func keys(chosen string, usual ...string) []string {
	if chosen != "" {
		return []string{chosen}
	}
	return usual
}

// decode reads an image within the limits.
func (o *Options) decode(ctx context.Context, r io.Reader) (image.Image, error) {
	return pillow.Decode(r, o.limits(ctx))
}

func (o *Options) limits(ctx context.Context) pillow.Limits {
	return pillow.Limits{MaxPixels: o.MaxPixels, MaxBytes: o.MaxBytes, AllowTruncated: o.AllowTruncated, Converter: o.Converter, Draft: o.Draft, Context: ctx}
}

// captions returns the templates filled with a label.
func (o *Options) captions(label string) []string {
	name := lists.Key(label, o.VerbatimLabels)
	filled := make([]string, len(o.Templates))
	for i, t := range o.Templates {
		filled[i] = strings.ReplaceAll(t, "{}", name)
	}
	return filled
}
