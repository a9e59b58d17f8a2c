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
	"path"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/dice"
)

// stream is tars that are read from front to back.
type stream struct {
	fsys   fs.FS
	shards []string
	o      *Options
	shape  Shape
	n      int // samples, or -1

	classAt int // of [ClassFolders]: the depth of the class in a path

	// Of a single tar with a table: what it says of each image, and its
	// faulty rows.
	rows   map[string][]record
	faulty []record
}

// Len implements [Source]: the samples of a single tar, -1 for several.
func (s *stream) Len() int { return s.n }

// openStream reads through the first shard to learn how its files belong
// together, and that there is something to learn from.
func openStream(fsys fs.FS, name string, shards []string, o *Options) (*Set, error) {
	s := &stream{fsys: fsys, shards: shards, o: o, n: -1, classAt: -1}
	t, err := s.list()
	if err != nil {
		return nil, err
	}
	t.beside = classNamesBeside(fsys, shards[0])
	e := t.evidence(o)
	claims, err := e.claims()
	if err != nil {
		return nil, err
	}
	best, err := e.choose(claims)
	if err != nil && t.damaged == nil {
		return nil, err
	}
	if err == nil {
		if err := s.take(best, t); err != nil {
			return nil, err
		}
	}
	seen := e.seen(best)
	labels, usable := map[string]bool{}, false
	var reason error
	for sample := range s.shard(context.Background(), 0) {
		seen.add(sample.Captions, sample.Label, sample.Fault)
		if sample.Label != "" {
			labels[sample.Label] = true
		}
		usable = usable || sample.Fault == nil
		reason = cmp.Or(reason, sample.Fault)
	}
	switch {
	case seen.Samples == 0:
		return nil, fmt.Errorf("dataset: %s: the set is empty: no image was found", shards[0])
	case !usable:
		return nil, fmt.Errorf("dataset: %s: none of %d samples can be used; the first: %w", shards[0], seen.Samples, reason)
	}
	seen.Classes = len(classNames(labels, &Options{VerbatimLabels: s.o.VerbatimLabels}))
	if len(shards) == 1 {
		s.n = seen.Samples
	} else {
		seen.Notes = append(seen.Notes, "this is the first shard of "+thousands(len(shards)))
	}
	return &Set{Source: s, classes: classNames(labels, s.o), seen: seen, notes: t.notes}, nil
}

// maxStreamedTable bounds the tables of a stream, which are held in memory.
const maxStreamedTable = 256 << 20

// list lists the first shard, and reads its tables.
func (s *stream) list() (*tree, error) {
	t := &tree{fsys: s.fsys, name: s.shards[0], inTar: true, listed: true, streamed: true}
	a := &archive{name: s.shards[0]}
	at := map[string]int{}
	left := min(s.o.MaxTableBytes, maxStreamedTable)
	for e, err := range s.entries(s.shards[0]) {
		if err != nil {
			t.damaged = err
			break
		}
		if !t.mine(e.file, s.o) {
			continue
		}
		f := e.file
		f.tar = a
		if isTable(f.path) || isNote(f.path) {
			if f.size > left {
				return nil, fmt.Errorf("dataset: %s: %s has %d bytes, more than the %d that are held of tables in a tar that is read from front to back", t.name, Printable(f.path), f.size, left)
			}
			left -= f.size
			if f.content, f.fault = e.read(left + f.size); f.content == nil {
				f.content = []byte{}
			}
		}
		if i, twice := at[f.path]; twice {
			t.files[i] = f
			t.notes = append(t.notes, Bad{File: a.name, Key: f.path, Reason: "it is in the archive more than once; the last one counts"})
			continue
		}
		at[f.path] = len(t.files)
		t.files = append(t.files, f)
	}
	s.hold(t, left)
	return t, nil
}

// hold reads the texts of a shard that may be tables by how they begin, up to so many
// bytes.
func (s *stream) hold(t *tree, left int64) {
	at := map[string]int{}
	e := t.evidence(s.o)
	for i, f := range t.files {
		if f.content == nil && e.maybeTable(f) && len(at) < maxSniffed {
			at[f.path] = i
		}
	}
	if len(at) == 0 {
		return
	}
	for e, err := range s.entries(s.shards[0]) {
		if err != nil {
			return
		}
		i, ok := at[e.path]
		if !ok || e.size > left {
			continue
		}
		if text, err := e.read(left); err == nil && text != nil {
			t.files[i].content = text
			left -= e.size
		}
	}
}

// take prepares to read what a claim is about.
func (s *stream) take(c claim, t *tree) error {
	switch s.shape = c.shape; s.shape {
	case Images:
		return nil
	case Pairs:
		if names := (&evidence{tree: t}).classNames(); len(s.o.Classes) == 0 && names != nil {
			o := *s.o
			o.Classes, s.o = names, &o
		}
		return nil
	case Tables:
		if len(s.shards) > 1 {
			return fmt.Errorf("dataset: %s: %s in a stream of several tars: only a single one may hold a table", s.shards[0], c.why)
		}
	}
	list, err := c.read()
	if err != nil {
		return err
	}
	s.rows = map[string][]record{}
	for _, r := range list {
		if s.shape == ClassFolders {
			if i := slices.Index(strings.Split(path.Dir(r.file.path), "/"), r.label); r.label != "" && i >= 0 {
				s.classAt = i
				return nil
			}
			continue
		}
		if r.fault != nil {
			s.faulty = append(s.faulty, r)
		} else {
			s.rows[r.file.path] = append(s.rows[r.file.path], r)
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
			if foreignPath(e.path) != "" || excluded(e.path, s.o.Exclude) {
				continue
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
