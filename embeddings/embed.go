package embeddings

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/sweep"
	"github.com/goclip/goclip/vision"
)

// Texts says whether captions get embeddings: the first of each image, and the empty text
// for an image that has none, as clip-retrieval has it.
type Texts uint8

// The choices.
const (
	TextsAsFound Texts = iota // where the folder's first set has captions and the model a text tower
	TextsAlways
	TextsNever
)

func textsNames() map[Texts]string {
	return map[Texts]string{TextsAsFound: "auto", TextsAlways: "yes", TextsNever: "no"}
}

// String is the choice's name.
func (t Texts) String() string { return enum.String(t, textsNames()) }

// MarshalText is String for a known choice.
func (t Texts) MarshalText() ([]byte, error) { return enum.Marshal(t, textsNames()) }

// UnmarshalText reads a name.
func (t *Texts) UnmarshalText(text []byte) error { return enum.Unmarshal(t, text, textsNames()) }

// Options say how parts are written. All parts of a folder are written with the same ones.
type Options struct {
	Format    Format
	Precision encoder.Precision // Float32, or Float16 for NumPy's formats
	PartSize  int               // images of a part, good and bad; 0 means 10,000, the most is a million
	Texts     Texts

	// AllowTruncated says that the sets are opened with the option of that name.
	AllowTruncated bool

	// Overwrite removes the parts that are there, so that other settings can be used.
	Overwrite bool
}

// Writer writes the embeddings of shards into a folder. Its methods may be called from one
// goroutine at a time; several processes may write into one folder, also the same shard.
type Writer struct {
	dir   string
	model *encoder.Model
	o     Options
	want  settings
	anew  bool // the settings that are there count for nothing
}

// New makes a writer into a folder that is new, empty or was written by one. Nothing is
// written yet.
func New(dir string, m *encoder.Model, o Options) (*Writer, error) {
	if o.PartSize == 0 {
		o.PartSize = 10_000
	}
	switch {
	case m == nil || m.Vision() == nil:
		return nil, errors.New("embeddings: the model has no image tower")
	case o.PartSize < 0 || o.PartSize > 1_000_000:
		return nil, fmt.Errorf("embeddings: PartSize is %d, want 1 to 1,000,000", o.PartSize)
	case o.Precision == encoder.BFloat16 || o.Precision == encoder.Float16 && !o.Format.numpy():
		return nil, fmt.Errorf("embeddings: the format %v has no numbers of type %v", o.Format, o.Precision)
	}
	if err := errors.Join(enum.Valid(o.Format, formatNames()), enum.Valid(o.Texts, textsNames())); err != nil {
		return nil, fmt.Errorf("embeddings: %w", err)
	}
	if o.Texts == TextsAlways && !hasWords(m) {
		return nil, errors.New("embeddings: the model has no text tower or no tokenizer, so captions have no embeddings")
	}
	if _, several := m.Config().Vision.(vision.MultiVector); several {
		return nil, errors.New("embeddings: the model has several vectors for an image, and no format has a place for them")
	}
	if err := Free(dir); err != nil {
		return nil, err
	}
	if o.Overwrite {
		if err := removeParts(dir); err != nil {
			return nil, fmt.Errorf("embeddings: %w", err)
		}
	}
	w := &Writer{dir: dir, model: m, o: o, anew: o.Overwrite, want: settings{Version: version, Model: m.Fingerprint(), Dim: m.Config().EmbedDim(),
		Normalized: true, Format: o.Format, DType: o.Precision.String(), PartSize: o.PartSize, Truncated: o.AllowTruncated}}
	if p := m.Config().Preprocess; p != nil {
		w.want.Upright, w.want.Draft = p.Upright, p.DraftSide()
	}
	for _, name := range []string{".", receiptFolder, "img_emb", "text_emb", "metadata", "failures"} {
		if err := journal.Sweep(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("embeddings: %w", err)
		}
	}
	return w, nil
}

func hasWords(m *encoder.Model) bool { return m.Text() != nil && m.Tokenizer() != nil }

// Report says what became of a shard.
type Report struct {
	Parts    int // how many it has
	Skipped  int // of them, those that were whole before
	Pictures int // with embeddings, in all parts
	Failures int // images without, in all parts
	Notes    int // what was noted of the set besides
	Cut      int // captions that were longer than the model takes
	Embedded int // pictures of the parts that were written now
}

// begin settles what the folder's parts have in common.
func (w *Writer) begin(set *dataset.Set) error {
	there, err := readSettings(w.dir)
	if err != nil {
		return err
	}
	if w.anew {
		there = nil
	}
	captioned := set.Seen().Captioned > 0
	switch {
	case w.o.Texts != TextsAsFound:
		w.want.Texts = w.o.Texts == TextsAlways
	case there == nil:
		w.want.Texts = captioned && hasWords(w.model)
	case captioned && hasWords(w.model) && !there.Texts:
		return fmt.Errorf("embeddings: this set has captions, and in %s captions have no embeddings: say whether they are to have some", w.dir)
	default:
		w.want.Texts = there.Texts
	}
	if there == nil {
		if err := os.MkdirAll(w.dir, 0o777); err != nil {
			return fmt.Errorf("embeddings: %w", err)
		}
		if err := writeJSON(filepath.Join(w.dir, settingsName), w.want); err != nil {
			return fmt.Errorf("embeddings: %w", err)
		}
		if there, err = readSettings(w.dir); err != nil || there == nil { // another process may have been there
			return errors.Join(errors.New("embeddings: the settings were not kept"), err)
		}
	}
	w.anew = false
	if *there != w.want {
		return fmt.Errorf("embeddings: %s has parts with other settings: %s: %w", w.dir, there.differences(w.want), ErrOther)
	}
	if err := os.MkdirAll(filepath.Join(w.dir, receiptFolder), 0o777); err != nil {
		return fmt.Errorf("embeddings: %w", err)
	}
	return nil
}

// ErrOther says that there are parts of other settings or of another set, which Options.Overwrite
// removes.
var ErrOther = errors.New("they are replaced only where that is asked for")

// Embed writes the embeddings of a shard, opened from the given path, whose parts are called
// after name as [PartName] says. Parts that are whole are left as they are. An image that cannot
// be used costs nothing else: it goes, with the reason, to failures/failures_X.jsonl. Progress, if
// not nil, is told how many of the images that are left have been done, of −1 where that is not known.
//
// The same shard gives the same bytes, wherever it lies and however often the work was ended, on
// processors of one instruction set.
func (w *Writer) Embed(ctx context.Context, name, from string, set *dataset.Set, progress func(done, total int)) (Report, error) {
	switch {
	case w == nil || w.model == nil:
		return Report{}, errors.New("embeddings: the writer is nil")
	case set.Len() == 0:
		return Report{}, fmt.Errorf("embeddings: %s: the set is empty", from)
	}
	if err := Free(w.dir, from); err != nil {
		return Report{}, err
	}
	if err := w.begin(set); err != nil {
		return Report{}, err
	}
	source, err := digestOfSource(from, set)
	if err != nil {
		return Report{}, fmt.Errorf("embeddings: %s: %w", from, err)
	}
	s := &shard{Writer: w, name: name, from: from, source: source, set: set, count: -1, progress: progress}
	if n := set.Len(); n >= 0 {
		s.count = max(1, (n+w.o.PartSize-1)/w.o.PartSize)
	}
	if err := s.look(); err != nil {
		return Report{}, err
	}
	if err := s.embed(ctx); err != nil {
		return Report{}, fmt.Errorf("embeddings: %s: %w", from, err)
	}
	return s.report, nil
}

// digestOfSource tells one source from another of its name: a file by its size, beginning and
// end, any other by what is in it.
func digestOfSource(from string, set *dataset.Set) (string, error) {
	h := sha256.New()
	if info, err := os.Stat(from); err == nil && info.Mode().IsRegular() {
		f, err := os.Open(from)
		if err != nil {
			return "", err
		}
		defer f.Close()
		const part = 1 << 20
		fmt.Fprintf(h, "file %d\n", info.Size())
		for _, at := range []int64{0, max(0, info.Size()-part)} {
			if _, err := io.Copy(h, io.NewSectionReader(f, at, part)); err != nil {
				return "", err
			}
		}
	}
	if x, ok := set.Indexed(); ok {
		for i := range x.Len() {
			s := x.At(i)
			fmt.Fprintf(h, "%q %q\n", s.Key, s.Captions)
		}
	} else {
		fmt.Fprintf(h, "%d %v\n", set.Len(), set.Seen().Samples)
	}
	return hexOf(h), nil
}

// shard is the work on one.
type shard struct {
	*Writer
	name, from, source string
	set                *dataset.Set
	count              int // of its parts, −1 where it is not known
	progress           func(done, total int)

	whole  map[int]*receipt
	ended  int // number of parts, where a whole one says that it is the last; else 0
	report Report
	done   int
	left   int
}

// look finds the parts that are whole.
func (s *shard) look() error {
	s.whole = map[int]*receipt{}
	s.left = s.set.Len()
	for _, count := range []int{1, 2, 10, 100, 1e3, 1e4, 1e5, 1e6} { // with more or fewer parts, the first was called otherwise
		first, r := PartName(s.name, 0, count), new(receipt)
		if first == PartName(s.name, 0, s.count) {
			continue
		}
		if there, err := readJSON(receiptName(s.dir, first), r); there && (err != nil || s.name == "" || r.Shard == filepath.Base(s.from)) {
			return errors.Join(s.other(first, r.Shard), err)
		}
	}
	for k := 0; s.count < 0 || k < s.count; k++ {
		part := PartName(s.name, k, s.count)
		r, whole, err := readReceipt(s.dir, part)
		switch {
		case err != nil:
			return err
		case r != nil && r.Source != s.source:
			return s.other(part, r.Shard)
		case !whole && s.count < 0:
			return nil // the parts of a stream come one after the other
		case !whole:
			continue
		}
		s.whole[k] = r
		s.left = max(-1, s.left-r.Samples)
		if r.Last {
			s.ended = k + 1
			return nil
		}
	}
	return nil
}

// other is the error of a part that is in the way.
func (s *shard) other(part, of string) error {
	if of != "" {
		of = " (" + of + ")"
	}
	return fmt.Errorf("embeddings: %s: part %s in %s is of another set of that name%s, or of this one before it changed: %w", s.from, part, s.dir, of, ErrOther)
}

// embed makes the parts that are not whole.
func (s *shard) embed(ctx context.Context) error {
	next, stop := iter.Pull2(s.set.Samples(ctx, dataset.Order{}))
	defer stop()
	in := &taker{next: next}
	complete := s.ended > 0 && len(s.whole) == s.ended // and nothing has to be read
	for k := 0; ; k++ {
		r := s.whole[k]
		if r != nil {
			s.report.Skipped++
			if !complete {
				if err := in.drop(r.Samples); err != nil {
					return err
				}
			}
		} else {
			var err error
			if r, err = s.part(ctx, in, k); err != nil {
				return err
			}
			s.report.Embedded += r.Pictures
		}
		s.report.Parts++
		s.report.Pictures += r.Pictures
		s.report.Failures += r.Failures
		s.report.Notes += r.Notes
		s.report.Cut += r.Cut
		if r.Last {
			return ctx.Err()
		}
	}
}

// part makes part k of the samples that come next.
func (s *shard) part(ctx context.Context, in *taker, k int) (*receipt, error) {
	in.left, in.taken = s.o.PartSize, 0
	r := &rows{dim: s.want.Dim}
	var skipped []error
	done := s.done
	err := sweep.Each(ctx, s.model, in, &skipped, func(_ dataset.Sample, p dataset.Pair, row *encoder.Embeddings) {
		r.keys, r.captions = append(r.keys, valid(p.Key)), append(r.captions, p.Caption)
		r.images = append(r.images, row.Data...)
		if s.progress != nil {
			s.progress(done+len(r.keys)+len(skipped), s.left)
		}
	})
	if err != nil {
		return nil, err
	}
	s.done += in.taken
	var bad []failure
	for _, err := range skipped {
		bad = append(bad, s.failure(err))
	}
	cut, err := s.texts(ctx, r, &bad)
	if err != nil {
		return nil, err
	}
	last, err := in.ended()
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	out := &receipt{Shard: filepath.Base(s.from), Source: s.source, Samples: in.taken, Pictures: len(r.keys), Failures: len(bad),
		Cut: cut, Last: last, Files: map[string]digest{}}
	if k == 0 {
		for _, b := range s.set.Notes() {
			bad = append(bad, failure{s.placeless(strings.Trim(b.File+": "+b.Key, ": ")), s.placeless(b.Reason)})
			out.Notes++
		}
	}
	return out, s.write(PartName(s.name, k, s.count), r, bad, out)
}

// texts adds the embeddings of the captions. An image whose caption cannot be used fails.
func (s *shard) texts(ctx context.Context, r *rows, bad *[]failure) (cut int, err error) {
	if !s.want.Texts || len(r.keys) == 0 {
		return 0, nil
	}
	e, faults, err := s.model.EncodeEachText(ctx, r.captions...)
	if err != nil {
		return 0, err
	}
	kept := &rows{dim: r.dim}
	for i, fault := range faults {
		if fault != nil {
			*bad = append(*bad, failure{r.keys[i], s.placeless(fault.Error())})
			continue
		}
		kept.keys, kept.captions = append(kept.keys, r.keys[i]), append(kept.captions, r.captions[i])
		kept.images, kept.texts = append(kept.images, r.image(i)...), append(kept.texts, e.Row(i)...)
	}
	*r = *kept
	return e.Truncated, nil
}

// write writes the files of a part, and then that it is whole.
func (s *shard) write(part string, r *rows, bad []failure, out *receipt) error {
	files := r.files(s.want.Format, part, s.o.Precision == encoder.Float16)
	if len(bad) > 0 {
		files = append(files, file{"failures/failures_" + part + ".jsonl", func(w io.Writer) error { return writeJSONLines(w, bad) }})
	}
	for _, f := range files {
		d, err := writeFile(s.dir, f)
		if err != nil {
			return err
		}
		out.Files[f.path] = d
	}
	return writeJSON(receiptName(s.dir, part), out)
}

// failure is a line of the part with what failed.
type failure struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

func (s *shard) failure(err error) failure {
	var skipped *dataset.SampleError
	if errors.As(err, &skipped) {
		return failure{valid(skipped.Key), s.placeless(skipped.Err.Error())}
	}
	return failure{"", s.placeless(err.Error())}
}

// placeless says the same wherever the shard lies.
func (s *shard) placeless(text string) string {
	for _, place := range []string{s.from, filepath.ToSlash(s.from), filepath.FromSlash(s.from)} {
		text = strings.ReplaceAll(text, place, filepath.Base(s.from))
	}
	return valid(text)
}

// valid is text as tables and JSON can hold it.
func valid(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
