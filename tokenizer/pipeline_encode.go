package tokenizer

// An Input is a text or a pair of texts.
type Input struct {
	Text   string
	Second string
	Pair   bool // there is a second text
}

// Encode returns the tokens of a text, with special ones around them, cut and filled up as
// the tokenizer's file says.
func (p *Pipeline) Encode(s string) (Encoding, error) {
	return p.EncodeInput(Input{Text: s}, true)
}

// EncodeInput is Encode for a text or a pair of texts. Without special set, special tokens
// are not put around them.
func (p *Pipeline) EncodeInput(in Input, special bool) (Encoding, error) {
	all, err := p.encode(in, special)
	if err == nil && p.padding != nil {
		p.padding.pad(all)
	}
	if err != nil {
		return Encoding{}, err
	}
	return all[0], nil
}

// EncodeBatch encodes several texts, which are filled up to the length of the longest
// where no length is set.
func (p *Pipeline) EncodeBatch(in []Input, special bool) ([]Encoding, error) {
	all := make([]Encoding, len(in))
	for i := range in {
		var err error
		if all[i], err = p.EncodeInput(in[i], special); err != nil {
			return nil, err
		}
	}
	if p.padding != nil {
		p.padding.pad(all)
	}
	return all, nil
}

// WithTruncation returns a tokenizer that cuts texts as t says, or not at all if t is nil.
func (p *Pipeline) WithTruncation(t *Truncation) (*Pipeline, error) {
	if t != nil {
		if err := t.validate(); err != nil {
			return nil, err
		}
		own := *t
		t = &own
	}
	q := *p
	q.truncation = t
	return &q, nil
}

// WithPadding returns a tokenizer that fills texts up as d says, or not at all if d is nil.
func (p *Pipeline) WithPadding(d *Padding) (*Pipeline, error) {
	if d != nil {
		if err := d.validate(); err != nil {
			return nil, err
		}
		own := *d
		d = &own
	}
	q := *p
	q.padding = d
	return &q, nil
}

// encode returns one encoding, cut but not filled up.
func (p *Pipeline) encode(in Input, special bool) ([]Encoding, error) {
	texts := []string{in.Text, in.Second}
	if !in.Pair {
		texts = texts[:1]
	}
	all := make([]Encoding, len(texts))
	for i, s := range texts {
		var err error
		if all[i], err = p.single(s, i); err != nil {
			return nil, err
		}
	}
	added := 0
	if special && p.post != nil {
		added = p.post.added(in.Pair)
	}
	if p.truncation != nil {
		if err := p.truncation.truncate(all, added); err != nil {
			return nil, err
		}
	}
	if p.post != nil {
		all = p.post.process(all, special)
	}
	var whole Encoding
	for _, e := range all {
		if err := whole.merge(e); err != nil {
			return nil, err
		}
	}
	return []Encoding{whole}, nil
}

// single returns the tokens of the first or the second text, without special ones.
func (p *Pipeline) single(s string, number int) (Encoding, error) {
	w := p.working()
	defer p.release(w)
	if err := p.prepare(w, s, true, false); err != nil {
		return Encoding{}, err
	}
	if err := p.tokenize(w); err != nil {
		return Encoding{}, err
	}
	e := Encoding{Tokens: make([]Token, 0, len(w.tokens))}
	for i, q := range w.pieces.list {
		last := len(w.tokens)
		if i+1 < len(w.at) {
			last = int(w.at[i+1])
		}
		for _, t := range w.tokens[w.at[i]:last] {
			e.Tokens = append(e.Tokens, p.token(w, q, t, int32(number)))
		}
	}
	return e, nil
}

// token returns a token of a piece with its place in the text.
func (p *Pipeline) token(w *working, q piece, t token, kind int32) Token {
	out := Token{ID: t.id, Type: kind, From: int(t.from), To: int(t.to)}
	switch {
	case t.from == t.to:
		out.From, out.To = int(q.start+t.from), int(q.start+t.to)
	case q.from+t.to <= q.to:
		out.From, out.To = int(w.pieces.align[q.from+t.from].from), int(w.pieces.align[q.from+t.to-1].to)
	}
	if q.id != open {
		out.Text = string(w.pieces.b[q.from:q.to])
	} else if u, ok := p.model.(*unigram); ok && t.id == u.unk {
		out.Text = string(w.pieces.b[q.from+t.from : q.from+t.to]) // Unigram's unknown tokens are what they stand for
	} else {
		out.Text, _ = p.model.token(t.id)
	}
	return out
}
