package tokenizer

import (
	"fmt"
	"math"
	"sync"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/textclean"
)

// A Pipeline is a tokenizer made of parts: added tokens are cut out of a text, the rest is
// normalized and split into pieces, a model turns the pieces into tokens, a post-processor
// puts special tokens around them, and texts are cut and filled up to a length. It does what
// version 0.23 of Hugging Face's tokenizers library does with the same file, exactly.
//
// Text that is not UTF-8 is read with U+FFFD in the place of what is not, and offsets count
// from that. A Pipeline is immutable and safe for concurrent use.
type Pipeline struct {
	normalizer normalizer // nil: there is none; of the others, too
	pre        preTokenizer
	model      model
	post       postProcessor
	decoder    decoder
	added      *addedTokens
	truncation *Truncation
	padding    *Padding

	scratch *sync.Pool // of *working
}

// newPipeline makes a pipeline of a model and added tokens; the other parts are set later.
func newPipeline(m model, n normalizer, added []addedToken) (*Pipeline, error) {
	a, err := newAddedTokens(added, m, n)
	if err != nil {
		return nil, err
	}
	return &Pipeline{normalizer: n, model: m, added: a, scratch: new(sync.Pool)}, nil
}

// working is the memory of a text on its way. It belongs to one goroutine.
type working struct {
	pieces pieces
	raw    []piece // between added tokens
	text   text
	run    tokenizing
	b      []byte
	align  []span
	tokens []token
	at     []int32 // number of tokens before each piece
}

func (p *Pipeline) working() *working {
	w, ok := p.scratch.Get().(*working)
	if !ok {
		w = &working{run: p.model.start()}
		switch p.model.(type) {
		case *wordPiece, *unigram: // byte pairs have a cache of their own
			w.run = &remembering{tokenizing: w.run}
		}
	}
	return w
}

// release keeps the memory unless a long text has made it large.
func (p *Pipeline) release(w *working) {
	if cap(w.b) <= 1<<16 {
		p.scratch.Put(w)
	}
}

// maxText bounds texts, so that offsets fit into 32 bits whatever normalization adds.
const maxText = math.MaxInt32 / 32

// prepare cuts, normalizes and splits a text. With plain set, special tokens in it are
// taken for text.
func (p *Pipeline) prepare(w *working, s string, offsets, plain bool) error {
	if len(s) > maxText {
		return fmt.Errorf("tokenizer: a text of %d bytes, want at most %d", len(s), maxText)
	}
	s = textclean.Valid(s)
	w.b = append(w.b[:0], s...)
	var align []span
	if offsets || p.needsOffsets() {
		w.align = identity(w.align[:0], s)
		align = w.align
	}
	all := &w.pieces
	all.most = mostBytes(len(s))
	w.raw = p.added.raw.find(w.raw[:0], w.b, 0, plain)
	all.next, all.nextB, all.nextAlign = all.next[:0], all.nextB[:0], all.nextAlign[:0]
	for _, q := range w.raw {
		q.start = q.from
		var of []span
		if align != nil {
			of = align[q.from:q.to]
		}
		w.text.set(w.b[q.from:q.to], of, q.start)
		if q.id != open {
			all.push(&w.text, q)
			continue
		}
		if p.normalizer != nil {
			if err := p.normalizer.normalize(&w.text); err != nil {
				return err
			}
		}
		p.pushFinal(all, &w.text, plain)
	}
	all.b, all.nextB = all.nextB, all.b
	all.list, all.next = all.next, all.list
	all.align, all.nextAlign = all.nextAlign, all.align
	if align == nil {
		all.align = nil
	}
	if p.pre != nil {
		return p.pre.split(all)
	}
	return nil
}

// pushFinal appends a normalized text, cut at the added tokens that are looked for in it.
func (p *Pipeline) pushFinal(all *pieces, t *text, plain bool) {
	base := len(all.nextB)
	all.nextB = append(all.nextB, t.b...)
	all.nextAlign = append(all.nextAlign, t.align...)
	before := len(all.next)
	all.next = p.added.final.find(all.next, t.b, base, plain)
	if t.aligned {
		for i := range all.next[before:] {
			q := &all.next[before+i]
			q.start = all.nextAlign[q.from].from
		}
	}
}

func identity(align []span, s string) []span {
	for i, r := range s {
		to := i + utf8.RuneLen(r)
		for range to - i {
			align = append(align, span{int32(i), int32(to)})
		}
	}
	return align
}

// needsOffsets reports whether a part goes by where in the text a piece begins.
func (p *Pipeline) needsOffsets() bool { return needsStart(p.pre) }

func needsStart(pre preTokenizer) bool {
	switch s := pre.(type) {
	case metaspace:
		return s.scheme == prependFirst
	case preTokenizers:
		for _, part := range s {
			if needsStart(part) {
				return true
			}
		}
	}
	return false
}

// tokenize runs the model over the pieces.
func (p *Pipeline) tokenize(w *working) error {
	w.tokens, w.at = w.tokens[:0], w.at[:0]
	for _, q := range w.pieces.list {
		w.at = append(w.at, int32(len(w.tokens)))
		if err := p.piece(w, q); err != nil {
			return err
		}
	}
	return nil
}

// piece appends the tokens of a piece.
func (p *Pipeline) piece(w *working, q piece) (err error) {
	if q.id != open {
		w.tokens = append(w.tokens, token{q.id, span{0, q.to - q.from}})
		return nil
	}
	w.tokens, err = w.run.tokenize(w.tokens, w.pieces.b[q.from:q.to])
	return err
}

// IDs appends the ids of a text to dst, all of them: nothing is cut or filled up. With
// special set, those of the post-processor's special tokens stand around them.
func (p *Pipeline) IDs(dst []int32, s string, special bool) ([]int32, error) {
	return p.ids(dst, s, special, false)
}

// PlainIDs is IDs for a text in which the names of special tokens mean nothing: they are
// read as any other text, where [Pipeline.IDs] finds the tokens.
func (p *Pipeline) PlainIDs(dst []int32, s string, special bool) ([]int32, error) {
	return p.ids(dst, s, special, true)
}

func (p *Pipeline) ids(dst []int32, s string, special, plain bool) ([]int32, error) {
	w := p.working()
	defer p.release(w)
	err := p.prepare(w, s, false, plain)
	if err == nil {
		err = p.tokenize(w)
	}
	if err != nil {
		return dst, err
	}
	if !special || p.post == nil || p.post.added(false) == 0 {
		return appendIDs(dst, w.tokens), nil
	}
	switch t := p.post.(type) {
	case template:
		for _, part := range t.single {
			if part.tokens == nil {
				dst = appendIDs(dst, w.tokens)
			}
			for _, s := range part.tokens {
				dst = append(dst, s.ID)
			}
		}
		return dst, nil
	case bertProcessor:
		return append(appendIDs(append(dst, t.cls.ID), w.tokens), t.sep.ID), nil
	case robertaProcessor:
		return append(appendIDs(append(dst, t.cls.ID), w.tokens), t.sep.ID), nil
	}
	all := make([]Token, len(w.tokens))
	for i, t := range w.tokens {
		all[i].ID = t.id
	}
	for _, e := range p.post.process([]Encoding{{Tokens: all}}, true) {
		for _, t := range e.Tokens {
			dst = append(dst, t.ID)
		}
	}
	return dst, nil
}

func appendIDs(dst []int32, tokens []token) []int32 {
	for _, t := range tokens {
		dst = append(dst, t.id)
	}
	return dst
}

// Count returns the number of tokens of a text, without special ones around it.
func (p *Pipeline) Count(s string) (int, error) {
	w := p.working()
	defer p.release(w)
	err := p.prepare(w, s, false, false)
	if err == nil {
		err = p.tokenize(w)
	}
	return len(w.tokens), err
}

// VocabSize is one more than the largest id.
func (p *Pipeline) VocabSize() int { return max(p.model.top(), p.added.top) }

// ID returns the id of a token.
func (p *Pipeline) ID(token string) (id int32, ok bool) {
	if at, ok := p.added.byContent[token]; ok {
		return p.added.list[at].id, true
	}
	return p.model.id(token)
}

// Token returns the token of an id, as the vocabulary writes it.
func (p *Pipeline) Token(id int32) (token string, ok bool) {
	if at, ok := p.added.byID[id]; ok {
		return p.added.list[at].content, true
	}
	return p.model.token(id)
}

// Decode returns the text of ids. Ids that there are none of are left out, and so are
// special tokens, unless special is set.
func (p *Pipeline) Decode(ids []int32, special bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		t, ok := p.added.content(id)
		if !ok {
			t, ok = p.model.token(id)
		}
		if ok && (special || !p.added.special[t]) {
			tokens = append(tokens, t)
		}
	}
	return p.join(tokens)
}
