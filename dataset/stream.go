package dataset

import (
	"archive/tar"
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"

	"github.com/goclip/goclip/internal/dice"
)

// stream is tars that are read from front to back.
type stream struct {
	fsys   fs.FS
	shards []string
	o      *Options
	layout layout
	n      int // samples, or -1

	// Of a single tar with a table: what it says of each image, and its
	// faulty rows.
	rows   map[string][]record
	faulty []record
}

// Len implements [Source].
func (s *stream) Len() int { return s.n }

// openStream reads through the first shard to learn how its files belong
// together, and that there is something to learn from.
func openStream(fsys fs.FS, name string, shards []string, o *Options) (*Set, error) {
	s := &stream{fsys: fsys, shards: shards, o: o, n: -1}
	first := &tree{name: shards[0]}
	for e, err := range s.entries(shards[0]) {
		if err != nil {
			first.damage = err
			break
		}
		first.files = append(first.files, e.file)
	}
	kind, found, err := layoutOf(first.files, true)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", shards[0], err)
	}
	s.layout = kind
	if kind == tables {
		if len(shards) > 1 {
			return nil, fmt.Errorf("dataset: %s: %s in a stream of several tars: only a single one may hold a table", shards[0], found[0].path)
		}
		if err := s.readTables(first, found); err != nil {
			return nil, err
		}
	}
	labels, usable, count := map[string]bool{}, false, 0
	var reason error
	for sample := range s.shard(context.Background(), 0) {
		count++
		if sample.Label != "" {
			labels[sample.Label] = true
		}
		usable = usable || sample.Fault == nil
		reason = cmp.Or(reason, sample.Fault)
	}
	switch {
	case count == 0:
		return nil, fmt.Errorf("dataset: %s: the set is empty: no image was found", shards[0])
	case !usable:
		return nil, fmt.Errorf("dataset: %s: none of %d samples can be used; the first: %w", shards[0], count, reason)
	}
	if len(shards) == 1 {
		s.n = count
	}
	return &Set{Source: s, classes: classNames(labels, o)}, nil
}

// readTables reads what the tables in the first shard say of its images.
func (s *stream) readTables(t *tree, found []file) error {
	s.rows = map[string][]record{}
	for e, err := range s.entries(s.shards[0]) {
		if err != nil {
			break // the listing has reported it
		}
		if !slices.ContainsFunc(found, func(f file) bool { return f.path == e.path }) {
			continue
		}
		list, err := t.fromTable(e.content, e.path, s.o)
		if err != nil {
			return err
		}
		for _, r := range list {
			if r.fault != nil {
				s.faulty = append(s.faulty, r)
			} else {
				s.rows[r.file.path] = append(s.rows[r.file.path], r)
			}
		}
	}
	return nil
}

// Samples implements [Source].
func (s *stream) Samples(ctx context.Context, order Order) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		skip := order.Skip
		emit := func(sample Sample) bool {
			if skip > 0 {
				skip--
				return true
			}
			return yield(sample, nil)
		}
		shards := make([]uint32, len(s.shards))
		for i := range shards {
			shards[i] = uint32(i)
		}
		mixer := mixer{maxBytes: s.o.BufferBytes} // without a buffer each sample comes straight out
		if order.Shuffle {
			shards = order.permutation(len(s.shards))
			mixer.max, mixer.dice = s.o.Buffer, dice.New(order.Seed, dice.Buffer, uint64(order.Epoch))
		}
		for _, k := range shards {
			for sample := range s.shard(ctx, int(k)) {
				mixer.push(sample)
				for mixer.full() {
					if !emit(mixer.pop()) {
						return
					}
				}
			}
			if err := ctx.Err(); err != nil {
				yield(Sample{}, err)
				return
			}
		}
		for len(mixer.held) > 0 {
			if !emit(mixer.pop()) {
				return
			}
		}
	}
}

// mixer holds samples back and gives them in a random order.
type mixer struct {
	held     []Sample
	bytes    int64
	max      int
	maxBytes int64
	dice     dice.Dice
}

func (m *mixer) push(s Sample) {
	m.held = append(m.held, s)
	m.bytes += s.size
}

func (m *mixer) full() bool {
	return len(m.held) > m.max || m.bytes > m.maxBytes && len(m.held) > 0
}

func (m *mixer) pop() Sample {
	i, last := m.dice.Below(len(m.held)), len(m.held)-1
	s := m.held[i]
	m.held[i], m.held[last] = m.held[last], Sample{}
	m.held = m.held[:last]
	m.bytes -= s.size
	return s
}

// shard yields the samples of one tar, with their images read into memory.
func (s *stream) shard(ctx context.Context, k int) iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		n := uint64(0)
		emit := func(sample Sample) bool {
			sample.ID, sample.File = uint64(k)<<32|n, s.shards[k]
			sample.fill(s.o)
			n++
			return ctx.Err() == nil && yield(sample)
		}
		var damage error
		split := s.newSplitter()
		for e, err := range s.entries(s.shards[k]) {
			if err != nil {
				damage = fmt.Errorf("the archive is damaged: %w", err)
				break
			}
			for _, sample := range split.add(e) {
				if !emit(sample) {
					return
				}
			}
		}
		for _, sample := range split.rest() {
			if !emit(sample) {
				return
			}
		}
		if damage != nil {
			emit(Sample{Fault: damage})
		}
	}
}

// entry is a file in a tar that is being read.
type entry struct {
	file
	content io.Reader
}

// read returns the content, which has to be done before the next entry.
func (e entry) read(limit int64) ([]byte, error) {
	switch {
	case e.fault != nil:
		return nil, e.fault
	case e.size > limit:
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", e.size, limit)
	}
	return io.ReadAll(e.content)
}

// entries reads a tar, compressed or not.
func (s *stream) entries(name string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		f, err := openRegular(s.fsys, name)
		if err != nil {
			yield(entry{}, err)
			return
		}
		defer f.Close()
		var r io.Reader = bufio.NewReaderSize(f, 256<<10)
		if magic, _ := r.(*bufio.Reader).Peek(2); string(magic) == gzipMagic {
			if r, err = gzip.NewReader(r); err != nil {
				yield(entry{}, err)
				return
			}
		}
		counted := &counter{r: r}
		headers := tar.NewReader(counted)
		end := int64(0)
		for {
			h, err := headers.Next()
			if err == io.EOF {
				err = endMark(counted.n, end)
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(entry{}, err)
				return
			}
			f, ok := tarFile(h)
			end = counted.n + f.size
			if ok && !yield(entry{f, headers}, nil) {
				return
			}
		}
	}
}

// counter counts what has been read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
