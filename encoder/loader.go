package encoder

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/goclip/goclip/internal/parallel"
)

// ImageError says which image of a call cannot be encoded, by its index, and why. An error
// of [Model.EncodeImages] may join several: those of one batch.
type ImageError struct {
	Index int
	Err   error
}

func (e *ImageError) Error() string { return fmt.Sprintf("encoder: image %d: %v", e.Index, e.Err) }

// Unwrap returns Err.
func (e *ImageError) Unwrap() error { return e.Err }

// loader fills batches of pixels, one ahead of the tower: while a batch is in
// the tower one goroutine loads the next, and all cores load what it has not got
// to by then.
type loader struct {
	n, size, batch int // images, numbers of one, images of a batch
	load           func(dst []float32, i int) error
	ahead          *loading
	buffer         []float32
}

// fill writes the batch that begins at image from to dst, and begins to load
// the batch after it.
func (l *loader) fill(dst []float32, from int) error {
	b := l.ahead
	if b == nil {
		b = l.begin(dst, from)
		close(b.done)
	}
	parallel.For(runtime.GOMAXPROCS(0), func(int) { b.work() })
	<-b.done
	l.ahead = nil
	if err := errors.Join(b.errs...); err != nil {
		return err
	}
	if &b.pixels[0] != &dst[0] {
		copy(dst, b.pixels)
	}
	if from += len(b.errs); from < l.n {
		if l.buffer == nil {
			l.buffer = make([]float32, min(l.batch, l.n-from)*l.size)
		}
		next := l.begin(l.buffer, from)
		l.ahead = next
		go func() {
			defer close(next.done)
			next.work()
		}()
	}
	return nil
}

func (l *loader) begin(pixels []float32, from int) *loading {
	return &loading{l, pixels, from, make([]error, min(l.batch, l.n-from)), atomic.Int64{}, make(chan struct{})}
}

// stop ends what is under way.
func (l *loader) stop() {
	if l.ahead != nil {
		l.ahead.next.Store(int64(len(l.ahead.errs)))
		<-l.ahead.done
	}
}

// loading is a batch on its way.
type loading struct {
	*loader
	pixels []float32
	from   int
	errs   []error // of each image
	next   atomic.Int64
	done   chan struct{}
}

// work loads images until none is left to begin with. Several goroutines may
// work on a batch.
func (b *loading) work() {
	for {
		i := int(b.next.Add(1)) - 1
		if i >= len(b.errs) {
			return
		}
		if err := b.load(b.pixels[i*b.size:][:b.size], b.from+i); err != nil {
			b.errs[i] = &ImageError{b.from + i, err}
		}
	}
}
