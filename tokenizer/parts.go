package tokenizer

import (
	"errors"
	"unicode/utf8"
)

// A tokenizer's parts, as Hugging Face's tokenizers library names them, in the order in
// which a text goes through them: added tokens are cut out, the rest is normalized and
// split into pieces, a model turns each piece into tokens, and a post-processor puts
// special tokens around them. A decoder turns tokens into text again.
//
// Parts are immutable and safe for concurrent use. What they write to is passed to them.

// A span is a range of bytes.
type span struct{ from, to int32 }

// A normalizer changes a text, in edits.
type normalizer interface {
	normalize(t *text) error
}

// A preTokenizer splits pieces into smaller ones, and may normalize them.
type preTokenizer interface {
	split(p *pieces) error
}

// A model turns pieces into tokens, by a vocabulary whose ids need not be consecutive.
type model interface {
	// start returns what turns pieces into tokens, with memory of its own that is used
	// again and again: it belongs to one goroutine.
	start() tokenizing
	// id returns the id of a token, and token the token of an id.
	id(token string) (id int32, ok bool)
	token(id int32) (token string, ok bool)
	// size is the number of tokens, and top one more than the largest id.
	size() int
	top() int
}

// A tokenizing appends the tokens of a piece, which is valid UTF-8 and not empty. The
// spans of the tokens are within the piece; some references leave characters out.
type tokenizing interface {
	tokenize(dst []token, piece []byte) ([]token, error)
}

// A token of a piece.
type token struct {
	id int32
	span
}

// A decoder changes tokens on their way to a text: what it returns is joined.
type decoder interface {
	decode(tokens []string) []string
}

// A text is a string on its way through normalizers, always valid UTF-8. It knows of each
// byte which bytes of the original text it stands for, where offsets are asked for.
//
// It is changed from its start to its end in one go: edit begins, put, add, keep and drop
// say what becomes of it, done ends. What is left then, is dropped.
type text struct {
	b     []byte // not to be written to
	align []span // of each byte of b, the same for all bytes of a character; nil where there are no offsets
	start int32  // where the original of b begins
	most  int    // bytes that it may grow to

	aligned  bool // offsets are asked for
	at       int  // in b: what is before has been edited
	buffers  [2][]byte
	aligns   [2][]span
	current  int // the buffer in use
	out      []byte
	outAlign []span
}

// set makes t a piece of another text, which stays as it is.
func (t *text) set(b []byte, align []span, start int32) {
	t.b, t.align, t.start, t.most = b, align, start, mostBytes(len(b))
	t.aligned = align != nil
}

// mostBytes is how much a text of n bytes may grow to. The longest decomposition is 18
// times as long as its character, but a file may ask for more, again and again.
func mostBytes(n int) int { return 64*n + 1<<16 }

var errGrown = errors.New("tokenizer: the text grows without measure while it is normalized")

func (t *text) edit() {
	t.current ^= 1
	t.at, t.out, t.outAlign = 0, t.buffers[t.current][:0], t.aligns[t.current][:0]
}

func (t *text) done() {
	t.b, t.buffers[t.current] = t.out, t.out
	if t.aligned {
		t.align, t.aligns[t.current] = t.outAlign, t.outAlign
		if t.align == nil {
			t.align = []span{}
		}
	}
}

// rest is what has not been edited.
func (t *text) rest() []byte { return t.b[t.at:] }

// keep leaves the next n bytes as they are.
func (t *text) keep(n int) {
	t.out = append(t.out, t.b[t.at:t.at+n]...)
	if t.aligned {
		t.outAlign = append(t.outAlign, t.align[t.at:t.at+n]...)
	}
	t.at += n
}

// put replaces the next character, of n bytes, by another.
func (t *text) put(r rune, n int) {
	t.append(r, func() span { return t.align[t.at] })
	t.at += n
}

// add inserts a character, which stands for what the one before the cursor stands for.
func (t *text) add(r rune) {
	t.append(r, func() span {
		if t.at == 0 {
			return span{t.start, t.start}
		}
		return t.align[t.at-1]
	})
}

// drop removes the next n bytes.
func (t *text) drop(n int) { t.at += n }

func (t *text) append(r rune, of func() span) {
	before := len(t.out)
	t.out = utf8.AppendRune(t.out, r)
	if t.aligned {
		a := of()
		for range len(t.out) - before {
			t.outAlign = append(t.outAlign, a)
		}
	}
}

// A piece is a part of a text on its way to a model.
type piece struct {
	span        // in the bytes of the pieces
	start int32 // where its original begins
	id    int32 // of the added token that it is; open where a model is to say
}

// open marks pieces that are no tokens.
const open = -1

// Pieces are the parts of a text, in order. Those that are added tokens already are left
// alone by all that follows.
type pieces struct {
	b     []byte
	align []span // as a text's
	list  []piece

	most      int // bytes that they may grow to
	next      []piece
	cuts      []span
	piece     text
	nextB     []byte
	nextAlign []span
}

// split cuts each piece into the spans that cut appends, in order; what is in none of
// them is gone, and so are empty ones.
func (p *pieces) split(cut func(cuts []span, piece []byte) []span) {
	p.next = p.next[:0]
	for _, q := range p.list {
		if q.id != open {
			p.next = append(p.next, q)
			continue
		}
		p.cuts = cut(p.cuts[:0], p.b[q.from:q.to])
		for _, c := range p.cuts {
			if c.from < c.to {
				p.next = append(p.next, p.part(q, c))
			}
		}
	}
	p.list, p.next = p.next, p.list
}

// part is a part of a piece that is not empty.
func (p *pieces) part(q piece, c span) piece {
	part := piece{span{q.from + c.from, q.from + c.to}, q.start, open}
	if p.align != nil {
		part.start = p.align[part.from].from
	}
	return part
}

// normalize changes each piece on its own. Empty ones are gone after it.
func (p *pieces) normalize(n normalizer) error {
	p.next, p.nextB, p.nextAlign = p.next[:0], p.nextB[:0], p.nextAlign[:0]
	for _, q := range p.list {
		var align []span
		if p.align != nil {
			align = p.align[q.from:q.to]
		}
		p.piece.set(p.b[q.from:q.to], align, q.start)
		if q.id == open {
			if err := n.normalize(&p.piece); err != nil {
				return err
			}
		}
		if p.push(&p.piece, q); len(p.nextB) > p.most {
			return errGrown
		}
	}
	p.b, p.nextB = p.nextB, p.b
	if p.align != nil {
		p.align, p.nextAlign = p.nextAlign, p.align
	}
	p.list, p.next = p.next, p.list
	return nil
}

// push appends a piece with its text to what comes next.
func (p *pieces) push(t *text, q piece) {
	if len(t.b) == 0 {
		return
	}
	q.from = int32(len(p.nextB))
	p.nextB = append(p.nextB, t.b...)
	p.nextAlign = append(p.nextAlign, t.align...)
	q.to = int32(len(p.nextB))
	p.next = append(p.next, q)
}
