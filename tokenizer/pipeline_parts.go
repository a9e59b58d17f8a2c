package tokenizer

import (
	"slices"
	"strings"
)

// A Piece is a part of a text that a model turns into tokens on its own.
type Piece struct {
	Text     string // normalized
	From, To int    // where it stands in the text, in bytes
	Added    bool   // it is an added token already
}

// Normalize returns a text as the normalizer leaves it. Added tokens are not looked for.
func (p *Pipeline) Normalize(s string) (string, error) {
	if p.normalizer == nil {
		return s, nil
	}
	var t text
	t.set([]byte(s), nil, 0)
	if err := p.normalizer.normalize(&t); err != nil {
		return "", err
	}
	return string(t.b), nil
}

// Pieces returns the parts of a text that the model would see, and the added tokens
// between them.
func (p *Pipeline) Pieces(s string) ([]Piece, error) {
	w := p.working()
	defer p.release(w)
	if err := p.prepare(w, s, true, false); err != nil {
		return nil, err
	}
	all := make([]Piece, len(w.pieces.list))
	for i, q := range w.pieces.list {
		all[i] = Piece{
			Text:  string(w.pieces.b[q.from:q.to]),
			From:  int(w.pieces.align[q.from].from),
			To:    int(w.pieces.align[q.to-1].to),
			Added: q.id != open,
		}
	}
	return all, nil
}

// Join returns the text of tokens, as the decoder makes it.
func (p *Pipeline) Join(tokens []string) string { return p.join(slices.Clone(tokens)) }

// join is Join for tokens that may be changed.
func (p *Pipeline) join(tokens []string) string {
	if p.decoder == nil {
		return strings.Join(tokens, " ")
	}
	return strings.Join(p.decoder.decode(tokens), "")
}
