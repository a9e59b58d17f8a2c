package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// item is what a client wants the embedding of: an image file, a text, or token ids.
type item struct {
	image []byte // a file; nil for a text
	text  string
	ids   []int32 // in place of text

	language string // of the text, as fr or pt-BR; for models that ask for it
}

// embedding is what comes of an item.
type embedding struct {
	row           []float32 // normalised
	tokens        int       // of a text, those at its ends included
	width, height int       // of an image as it is stored
}

// encode returns the embeddings of items by a model, the first one for an empty name. It is
// all that dialects need of the rest: the error is a fault that names the first item that
// cannot be used, or that of ctx.
func (s *Server) encode(ctx context.Context, model string, items []item) ([]embedding, error) {
	if len(items) > s.o.MaxItems {
		return nil, refused(http.StatusRequestEntityTooLarge, "%d texts and images in one request, want at most %d", len(items), s.o.MaxItems)
	}
	if _, err := s.models.find(model); err != nil || len(items) == 0 {
		return nil, err
	}
	// A large request does not take the whole queue, but goes through it bit by bit.
	slots := int64(min(len(items), 2*s.o.Batch))
	if !s.queue.claim(slots) {
		s.metrics.refused.WithLabelValues("queue").Inc()
		return nil, busy("its queue is full")
	}
	defer s.queue.free(slots)
	l, release, err := s.models.use(ctx, model)
	if err != nil {
		return nil, err
	}
	defer release()

	out, faults := make([]embedding, len(items)), make([]error, len(items))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range slots {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := next.Add(1) - 1; i < int64(len(items)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				out[i], faults[i] = s.one(ctx, l, items[i])
			}
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		s.metrics.dropped.Inc()
		return nil, err
	}
	for i, err := range faults {
		var f *fault
		if errors.As(err, &f) && len(items) > 1 {
			named := *f
			named.message = fmt.Sprintf("input %d: %s", i, f.message)
			return nil, &named
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) one(ctx context.Context, l *loaded, it item) (e embedding, err error) {
	b := l.texts
	if it.image != nil {
		b = l.images
	}
	b.expected.Add(1)
	defer b.expected.Add(-1)
	var in input
	err = guard.Call(func() (err error) {
		if it.image != nil {
			in, e.width, e.height, err = s.prepareImage(ctx, l, it.image)
		} else {
			in, e.tokens, err = s.prepareText(l, it)
		}
		return err
	})
	if err != nil {
		return e, err
	}
	e.row, err = b.do(ctx, in)
	return e, err
}

// prepareImage decodes a file into what the image tower takes. As many are decoded at a
// time as there are cores, so that what images take in memory is bounded, too.
func (s *Server) prepareImage(ctx context.Context, l *loaded, file []byte) (in input, width, height int, err error) {
	p := l.model.Config().Preprocess
	switch {
	case l.model.Vision() == nil:
		return in, 0, 0, bad("the model has no image tower, so it cannot encode images")
	case l.model.vectors > 1:
		return in, 0, 0, bad("the model has %d vectors for an image, and one is wanted", l.model.vectors)
	}
	select {
	case s.cores <- struct{}{}:
		defer func() { <-s.cores }()
	case <-ctx.Done():
		return in, 0, 0, ctx.Err()
	}
	o := s.o.Decode
	o.Draft = p.DraftSide()
	img, err := vision.DecodeContext(ctx, bytes.NewReader(file), &o)
	if err == nil {
		in.pixels = make([]float32, p.Len())
		in.grid, err = prepared(p, in.pixels, img)
	}
	if ctx.Err() != nil {
		return in, 0, 0, ctx.Err()
	}
	if err != nil {
		return in, 0, 0, bad("the image cannot be read: %v", unpanicked(err))
	}
	size := img.Bounds().Size()
	return in, size.X, size.Y, nil
}

func prepared(p *vision.Preprocess, dst []float32, img image.Image) (grid [2]int, err error) {
	if p.MaxPatches > 0 {
		return p.Patches(dst, img)
	}
	return grid, p.Image(dst, img)
}

// unpanicked is an error without the stack of a decoder that panicked.
func unpanicked(err error) error {
	var p *guard.Panic
	if errors.As(err, &p) {
		return errors.New("its decoder failed")
	}
	return err
}

// prepareText makes token ids of a text, and says how many of them are not padding.
func (s *Server) prepareText(l *loaded, it item) (in input, n int, err error) {
	switch {
	case l.model.Text() == nil:
		return in, 0, bad("the model has no text tower, so it cannot encode texts")
	case l.model.Tokenizer() == nil:
		return in, 0, bad("the model has no tokenizer, so it cannot encode texts")
	case len(it.text) > s.o.MaxText:
		return in, 0, bad("a text of %d bytes, want at most %d", len(it.text), s.o.MaxText)
	case !utf8.ValidString(it.text):
		return in, 0, bad("the text is not UTF-8")
	}
	in.ids = make([]int32, l.model.Config().Text.Dims().ContextLength)
	if it.ids == nil {
		if _, err := l.model.Tokenize(in.ids, it.text); err != nil {
			return in, 0, bad("the text cannot be tokenized")
		}
		l.speak(in.ids, it.language)
	} else if err := l.takeIDs(in.ids, it.ids); err != nil {
		return in, 0, err
	}
	return in, len(in.ids) - l.padding(in.ids), nil
}

// loaded is a model in memory with its batchers.
type loaded struct {
	model         visible
	name          string
	images, texts *batcher
	pad           int32 // what the tokenizer fills with
	padEnds       bool  // that is also what texts end with
	classifiers   classifiers
}

// visible is a model with what its configuration does not say in one place.
type visible struct {
	*encoder.Model
	vectors int
}

func (s *Server) open(m *encoder.Model, e *entry) *loaded {
	l := &loaded{model: visible{Model: m}, name: e.Name}
	if v, ok := m.Config().Vision.(vision.MultiVector); ok {
		l.model.vectors = v.Vectors()
	}
	if m.Text() != nil && m.Tokenizer() != nil {
		ids := make([]int32, m.Config().Text.Dims().ContextLength)
		if _, err := m.Tokenize(ids, ""); err == nil {
			l.pad = ids[len(ids)-1]
		}
		if _, err := m.Tokenize(ids, strings.Repeat("a ", len(ids))); err == nil {
			l.padEnds = ids[len(ids)-1] == l.pad
		}
	}
	l.images = newBatcher(s.o.Batch, s.o.Wait, l.encodeImages, s.metrics.pass(e.Name, "image"))
	l.texts = newBatcher(s.o.Batch, s.o.Wait, l.encodeTexts, s.metrics.pass(e.Name, "text"))
	return l
}

func (l *loaded) close() error {
	l.images.close()
	l.texts.close()
	return l.model.Close()
}

// padding is how much of the end of ids is padding. Where that is the end's own id, one of
// them is the end.
func (l *loaded) padding(ids []int32) int {
	n := 0
	for n < len(ids) && ids[len(ids)-1-n] == l.pad {
		n++
	}
	if l.padEnds && n > 0 {
		n--
	}
	return n
}

// takeIDs checks token ids of a client and pads them.
func (l *loaded) takeIDs(dst, ids []int32) error {
	d := l.model.Config().Text.Dims()
	if len(ids) == 0 || len(ids) > len(dst) {
		return bad("%d token ids, want 1 to %d", len(ids), len(dst))
	}
	for i, id := range ids {
		if id < 0 || int(id) >= d.VocabSize {
			return bad("token id %d at position %d, want 0 to %d", id, i, d.VocabSize-1)
		}
	}
	for i := copy(dst, ids); i < len(dst); i++ {
		dst[i] = l.pad
	}
	return nil
}

func (l *loaded) encodeImages(ctx context.Context, jobs []*job) error {
	pixels := make([]float32, 0, len(jobs)*len(jobs[0].pixels))
	grids := make([][2]int, len(jobs))
	for i, j := range jobs {
		pixels, grids[i] = append(pixels, j.pixels...), j.grid
	}
	if l.model.Config().Preprocess.MaxPatches > 0 {
		return deal(jobs)(l.model.PatchFeatures(ctx, pixels, grids))
	}
	return deal(jobs)(l.model.ImageFeatures(ctx, pixels))
}

func (l *loaded) encodeTexts(ctx context.Context, jobs []*job) error {
	var ids []int32
	for _, j := range jobs {
		ids = append(ids, j.ids...)
	}
	return deal(jobs)(l.model.TextFeatures(ctx, ids))
}

// deal gives each job its row of features, normalised as the encoder does it.
func deal(jobs []*job) func(*encoder.Embeddings, error) error {
	return func(e *encoder.Embeddings, err error) error {
		if err != nil {
			return err
		}
		for i, j := range jobs {
			j.row = slices.Clone(e.Row(i))
			nn.NormalizeRow(j.row, j.row)
		}
		return nil
	}
}
