package command

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// inStore is the command for a database in the place of an index.
func (c *searchCommand) inStore(s *session, asked [][]index.Part, n need, keep func(index.Entry) bool) (err error) {
	c.upright = &c.Upright
	c.draft = c.Draft
	m, err := c.load(s, n)
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	t, err := openStore(s, c.Store, m, false)
	if err != nil {
		return err
	}
	l := &storeSearch{looking: looking{searchCommand: c, session: s, model: m, keep: keep}, store: t}
	if err = l.prepare(); err == nil {
		err = l.each(asked, l.look)
	}
	if err != nil {
		_ = t.close()
		return err
	}
	if err := t.close(); err != nil {
		return input(fmt.Errorf("%s: %w %s", t.program, err, strings.TrimSpace(t.said.String())))
	}
	return l.tell()
}

// storeSearch is a search in progress.
type storeSearch struct {
	looking
	store *store
	keys  []string     // that are looked among, nil for all
	some  *index.Index // of the database, to know what is usual
}

// mostKeys is what a store's filter takes.
const mostKeys = 10_000

// usual is how many images of a database a strength is reckoned from.
const usual = 2048

// prepare reads the names of all images, where they are asked for.
func (l *storeSearch) prepare() error {
	if l.keep == nil && l.Min == nil {
		return nil
	}
	type numbered struct {
		key    string
		number uint64
	}
	var all []numbered // those with the least numbers, which follow from their names
	byNumber := func(a, b numbered) int { return cmp.Compare(a.number, b.number) }
	err := l.store.each(storeRequest{Op: "each"}, func(e storeEntry, _ []float32) error {
		if l.keep != nil && l.keep(index.Entry{Key: e.Key, Meta: e.Meta}) {
			l.keys = append(l.keys, e.Key)
		}
		if l.Min == nil {
			return nil
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(e.Key))
		if all = append(all, numbered{e.Key, h.Sum64()}); len(all) >= 4*usual {
			slices.SortFunc(all, byNumber)
			all = all[:usual]
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(l.keys) > mostKeys {
		return input(fmt.Errorf("%d images are among those of --path, --after and --before, want %d or fewer in a --store: choose by --label, or with narrower ones", len(l.keys), mostKeys))
	}
	if l.Min == nil {
		return nil
	}
	slices.SortFunc(all, byNumber)
	var keys []string
	for _, n := range all[:min(usual, len(all))] {
		keys = append(keys, n.key)
	}
	l.some = index.New(l.model.Config().EmbedDim())
	err = l.fetch(keys, func(key string, vector []float32) error {
		return l.some.Add([]index.Entry{{Key: key}}, &encoder.Embeddings{N: 1, Dim: len(vector), Data: vector})
	})
	return input(err)
}

func (l *storeSearch) fetch(keys []string, use func(key string, vector []float32) error) error {
	if len(keys) == 0 {
		return nil
	}
	return l.store.each(storeRequest{Op: "get", Keys: keys}, func(e storeEntry, vector []float32) error {
		if len(vector) != l.model.Config().EmbedDim() {
			return fmt.Errorf("%s: the embedding of %q has %d numbers, want %d", l.store.program, e.Key, len(vector), l.model.Config().EmbedDim())
		}
		return use(e.Key, vector)
	})
}

// look adds what a query finds.
func (l *storeSearch) look(query string, parts []index.Part) error {
	sum := make([]float32, l.model.Config().EmbedDim())
	for _, p := range parts {
		e, err := l.part(query, p)
		if err != nil {
			return err
		}
		for i, v := range e {
			sum[i] += float32(p.Weight) * v
		}
	}
	if err := normalise(sum); err != nil {
		return input(fmt.Errorf("%q: %w", query, err))
	}
	f := found{Query: query, Hits: []hit{}}
	defer func() { l.all = append(l.all, f) }()
	if l.keep != nil && len(l.keys) == 0 {
		return nil
	}
	var background index.Background
	if l.some != nil {
		var err error
		if background, err = l.some.Background(sum); err != nil {
			return err
		}
		if background.Spread == 0 {
			return input(fmt.Errorf("--min needs %d images or more that are not all alike, and the database has %d", 16, l.some.Len()))
		}
	}
	reply, err := l.store.ask(storeRequest{Op: "query", Vector: sum, K: l.K, Labels: l.Label, Keys: l.keys})
	if err != nil {
		return err
	}
	for _, h := range reply.Hits {
		strength := background.Above(h.Score)
		if l.Min != nil && strength < *l.Min {
			break
		}
		one := hit{Key: h.Key, Caption: h.Meta, Score: h.Score}
		if l.some != nil {
			one.Strength = &strength
		}
		if p, ok := photos.Parse(h.Meta); ok {
			one.Caption, one.Taken, one.Place = p.Caption, p.Taken, p.Place
		}
		f.Hits = append(f.Hits, one)
	}
	return nil
}

// part is the embedding of a part of a query, that of an image of the database too.
func (l *storeSearch) part(query string, p index.Part) (e []float32, err error) {
	if p.Kind != index.Like {
		return l.embed(query, p)
	}
	err = l.fetch([]string{p.Text}, func(_ string, vector []float32) error {
		e = vector
		return nil
	})
	if err == nil && e == nil {
		err = fmt.Errorf("%q: the database has no image %q", query, p.Text)
	}
	return e, input(err)
}

func normalise(v []float32) error {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	length := math.Sqrt(sum)
	if !(length > 1e-6) {
		return errors.New("its parts cancel each other")
	}
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
	return nil
}
