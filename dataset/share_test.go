package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// meeting is where processes agree that are goroutines of this one.
type meeting struct {
	mu  sync.Mutex
	n   int
	now *round
}

type round struct {
	left int
	over chan struct{}
	at   []string
	bad  [][]int
	errs []error
}

func (m *meeting) agree(process int, at string, bad []int, err error) ([][]int, error) {
	m.mu.Lock()
	if m.now == nil {
		m.now = &round{m.n, make(chan struct{}), make([]string, m.n), make([][]int, m.n), make([]error, m.n)}
	}
	r := m.now
	r.at[process], r.bad[process], r.errs[process] = at, slices.Clone(bad), err
	if r.left--; r.left == 0 {
		m.now = nil
		close(r.over)
	}
	m.mu.Unlock()
	<-r.over
	for i, err := range r.errs {
		if err != nil {
			return nil, fmt.Errorf("process %d: %w", i, err)
		}
	}
	for i, at := range r.at {
		if at != r.at[0] {
			return nil, fmt.Errorf("process %d is at %q, process 0 at %q", i, at, r.at[0])
		}
	}
	return r.bad, nil
}

// share is that of a process which decodes the nth part of each batch.
func (m *meeting) share(process int) *Share {
	return &Share{
		Part: func(n int) (from, to int) { return n * process / m.n, n * (process + 1) / m.n },
		Agree: func(_ context.Context, at string, bad []int, err error) ([][]int, error) {
			return m.agree(process, at, bad, err)
		},
	}
}

// together has n processes go through a set, until one has seen so many batches or they are over.
// The options may differ between processes by change.
func together(n int, src func(process int) Source, o BatchOptions, limit int, change func(process int, o *BatchOptions)) (batches [][]Batch, ledgers []*Ledger, errs []error) {
	m := &meeting{n: n}
	batches, ledgers, errs = make([][]Batch, n), make([]*Ledger, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		o := o
		o.Share, o.Ledger = m.share(i), new(Ledger)
		if change != nil {
			change(i, &o)
		}
		ledgers[i] = o.Ledger
		all.Add(1)
		go func() {
			defer all.Done()
			for b, err := range Batches(context.Background(), src(i), o) {
				if err != nil {
					errs[i] = err
					return
				}
				if batches[i] = append(batches[i], b); len(batches[i]) == limit {
					return
				}
			}
		}()
	}
	all.Wait()
	return batches, ledgers, errs
}

// joined are the batches of all processes as those of one, each of whose images one of them has.
func joined(t *testing.T, all [][]Batch) []Batch {
	t.Helper()
	var out []Batch
	for k := range all[0] {
		b := Batch{slices.Clone(all[0][k].Pairs), all[0][k].Epoch, all[0][k].Next}
		for process, batches := range all[1:] {
			if len(batches) != len(all[0]) {
				t.Fatalf("process %d has %d batches, process 0 %d", process+1, len(batches), len(all[0]))
			}
			other := batches[k]
			if other.Epoch != b.Epoch || other.Next != b.Next || len(other.Pairs) != len(b.Pairs) {
				t.Fatalf("batch %d: process %d has %d pairs and %+v, process 0 %d and %+v", k, process+1, len(other.Pairs), other.Next, len(b.Pairs), b.Next)
			}
			for i, p := range other.Pairs {
				if p.Key != b.Pairs[i].Key || p.Caption != b.Pairs[i].Caption || !slices.Equal(p.Captions, b.Pairs[i].Captions) {
					t.Fatalf("batch %d: pair %d of process %d is %q, of process 0 %q", k, i, process+1, p.Key, b.Pairs[i].Key)
				}
				if p.Image != nil && b.Pairs[i].Image != nil {
					t.Fatalf("batch %d: two processes have the image of pair %d", k, i)
				}
				if p.Image != nil {
					b.Pairs[i].Image = p.Image
				}
			}
		}
		out = append(out, b)
	}
	return out
}

// said is all of a sequence that can be seen, as transcript has it.
func said(batches []Batch) (lines []string) {
	for _, b := range batches {
		var text strings.Builder
		fmt.Fprint(&text, b.Epoch, b.Next)
		for _, p := range b.Pairs {
			fmt.Fprintf(&text, " %s=%s %v", p.Key, p.Caption, p.Captions)
			if img, ok := p.Image.(*image.RGBA); ok {
				fmt.Fprintf(&text, ":%x", img.Pix[:min(len(img.Pix), 64)])
			}
		}
		lines = append(lines, text.String())
	}
	return lines
}

// alone is the sequence of a process that decodes everything.
func alone(t *testing.T, src Source, o BatchOptions) ([]Batch, *Ledger) {
	t.Helper()
	var batches []Batch
	o.Ledger = new(Ledger)
	for b, err := range Batches(context.Background(), src, o) {
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
	return batches, o.Ledger
}

// spotted is numbered samples, of which some lack what is seen without decoding, too.
func spotted(n int, bad ...int) *Indexed {
	src := numbered(n, bad...)
	return NewIndexed(n, func(i int) Sample {
		s := src.At(i)
		switch {
		case i%29 == 11:
			s.Fault = errors.New("a fault of its source")
		case i%31 == 5:
			s.Captions = nil
		}
		return s
	})
}

// TestShareIsOneSequence: any number of processes goes through the sequence of one, from any
// cursor, with the same ledger, whichever images are bad.
func TestShareIsOneSequence(t *testing.T) {
	every := make([]int, 0, 60)
	for i := range 120 {
		if i%2 == 0 {
			every = append(every, i)
		}
	}
	for _, c := range []struct {
		name string
		bad  []int
	}{{"none", nil}, {"a few", []int{0, 9, 10, 63, 64, 65, 118, 119}}, {"one in a row", []int{40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53}}, {"half", every}} {
		for _, o := range []BatchOptions{
			{Size: 10, Epochs: 3, Shuffle: true, Seed: 5, Augment: speckle},
			{Size: 7, Epochs: 2, KeepLast: true, Augment: speckle, Workers: 1, Prefetch: 1},
			{Size: 16, Epochs: 2, Shuffle: true, KeepLast: true, Prefetch: 50, Workers: 4},
		} {
			src := spotted(120, c.bad...)
			whole, ledger := alone(t, src, o)
			for _, n := range []int{1, 2, 3, 4} {
				for _, from := range []int{0, 1, 4}[:1+2*(n/3%2)] {
					what, o := fmt.Sprintf("%s, %+v, %d processes from batch %d", c.name, o.Size, n, from), o
					if from > 0 {
						o.Start = whole[from-1].Next
					}
					batches, ledgers, errs := together(n, func(int) Source { return src }, o, -1, nil)
					if err := errors.Join(errs...); err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					if got, want := said(joined(t, batches)), said(whole[from:]); !slices.Equal(got, want) {
						t.Fatalf("%s: the sequence differs from that of one process:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
					for process, l := range ledgers {
						if from == 0 && !slices.Equal(l.Bad(), ledger.Bad()) {
							t.Fatalf("%s: process %d has bad samples %v, want %v", what, process, l.Bad(), ledger.Bad())
						}
					}
				}
			}
		}
	}
}

// TestShareDecodesItsPart: an image is decoded by one process, a bad one by all, and few are besides
// because a bad one came before them.
func TestShareDecodesItsPart(t *testing.T) {
	const samples, epochs = 600, 2
	for _, bad := range [][]int{nil, {77, 200, 201, 399, 595}} {
		for n := 1; n <= 4; n++ {
			counts := make([]atomic.Int64, n)
			src := func(process int) Source {
				all := numbered(samples, bad...)
				return NewIndexed(samples, func(i int) Sample {
					s := all.At(i)
					decode := s.Decode
					s.Decode = func() (image.Image, error) {
						counts[process].Add(1)
						return decode()
					}
					return s
				})
			}
			o := BatchOptions{Size: 24, Epochs: epochs, Shuffle: true, Seed: 3, KeepLast: true}
			_, _, errs := together(n, src, o, -1, nil)
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			// Each bad sample moves the pairs behind it across n-1 borders, of its batch and of two that
			// may have been decoded ahead; and the last batch is cut otherwise if it is not full.
			least := int64(samples-len(bad)) * epochs / int64(n)
			most := least + int64(len(bad)*(1+3*(n-1))*epochs)
			if len(bad) > 0 {
				most += int64(o.Size * epochs)
			}
			for process := range n {
				if got := counts[process].Load(); got < least-int64(o.Size*epochs) || got > most || bad == nil && got != least {
					t.Errorf("%d bad: process %d of %d has decoded %d images, want %d to %d", len(bad), process, n, got, least, most)
				}
			}
		}
	}
}

// TestShareErrors: what ends one ends all, with what is wrong.
func TestShareErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		src        func(process int) Source
		change     func(process int, o *BatchOptions)
	}{
		{"one cannot read what others can", "process 2: dataset: batches: numbered: 9: broken (other processes can read it)", func(process int) Source {
			if process == 2 {
				return numbered(10, 9)
			}
			return numbered(10)
		}, nil},
		{"one alone can read it", "process 1: dataset: batches: numbered: 0: broken (other processes can read it)", func(process int) Source {
			if process == 0 {
				return numbered(10)
			}
			return numbered(10, 0)
		}, func(process int, o *BatchOptions) {
			o.Share.Part = func(n int) (int, int) { return n * (2 - process) / 3, n * (3 - process) / 3 } // the last has the first pairs
		}},
		{"no ledger", "dataset: batches: numbered: 4: broken (with a Ledger it would be recorded and skipped)", func(int) Source { return numbered(10, 4) }, func(_ int, o *BatchOptions) { o.Ledger = nil }},
		{"ledger full", "dataset: 2 bad samples, more than the limit of 1; the last is numbered: 2: broken", func(int) Source { return numbered(10, 1, 2) }, func(_ int, o *BatchOptions) { o.Ledger.Limit = 1 }},
		{"nothing of an image", "dataset: batches: Augment made nothing of numbered: 7", func(int) Source { return numbered(10) }, func(_ int, o *BatchOptions) {
			o.Augment = func(_ *rand.Rand, img image.Image) image.Image {
				if img.(*image.RGBA).Pix[0] == 7 {
					return nil
				}
				return img
			}
		}},
		{"another length", `process 1 is at "10 samples to epoch 0, position 10, end false", process 0 at "10 samples to epoch 0, position 9, end true"`, func(process int) Source { return numbered(9 + process) }, func(_ int, o *BatchOptions) { o.KeepLast = true }},
		{"places that are none", "process 0: dataset: batches: another process has bad sample 99 of 10", func(int) Source { return numbered(10) }, func(_ int, o *BatchOptions) {
			agree := o.Share.Agree
			o.Share.Agree = func(ctx context.Context, at string, bad []int, err error) ([][]int, error) {
				return agree(ctx, at, append(bad, 99), err)
			}
		}},
		{"half a Share", "dataset: batches: the Share lacks Part or Agree", func(int) Source { return numbered(10) }, func(_ int, o *BatchOptions) { o.Share = &Share{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			_, _, errs := together(3, c.src, BatchOptions{Size: 10, Epochs: 2}, -1, c.change)
			for process, err := range errs {
				if err == nil || !strings.HasSuffix(err.Error(), c.want) {
					t.Errorf("process %d: got  %v\nwant %s", process, err, c.want)
				}
			}
			wantGoroutines(t, before)
		})
	}
}

// TestShareInterrupted: a context that ends in one process ends the sequence in all.
func TestShareInterrupted(t *testing.T) {
	m := &meeting{n: 3}
	seen, errs := make([]int, 3), make([]error, 3)
	var all sync.WaitGroup
	for process := range 3 {
		all.Add(1)
		go func() {
			defer all.Done()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for _, err := range Batches(ctx, numbered(1000, 5, 66), BatchOptions{Size: 10, Share: m.share(process), Ledger: new(Ledger)}) {
				if errs[process] = err; err != nil {
					return
				}
				if seen[process]++; process == 1 && seen[1] == 9 {
					cancel()
				}
			}
		}()
	}
	all.Wait()
	for process, err := range errs {
		if !errors.Is(err, context.Canceled) || seen[process] != 9 {
			t.Errorf("process %d: got error %v after %d batches, want %v after 9", process, err, seen[process], context.Canceled)
		}
	}
}

// TestSharePartsBeyond: a Part beyond the batch is as much of it as there is.
func TestSharePartsBeyond(t *testing.T) {
	for _, part := range [][2]int{{-5, 99}, {8, 3}, {99, 200}} {
		o := BatchOptions{Size: 10, Epochs: 1, Share: &Share{
			Part:  func(int) (int, int) { return part[0], part[1] },
			Agree: func(_ context.Context, _ string, bad []int, err error) ([][]int, error) { return [][]int{bad}, err },
		}}
		for b, err := range Batches(context.Background(), numbered(10), o) {
			if err != nil || len(b.Pairs) != 10 || (b.Pairs[4].Image != nil) != (part[0] < 0) {
				t.Errorf("part %v: %d pairs, error %v", part, len(b.Pairs), err)
			}
		}
	}
}
