package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// scored is a piece of a Unigram model, with the logarithm of its probability.
type scored struct {
	piece string
	score float64
}

// unknownPenalty is by how much a character without a piece is worse than the worst piece.
const unknownPenalty = 10

// A unigram is the Unigram model (Kudo, arXiv:1804.10959) as the tokenizers library has
// it: of all ways to write a text as pieces the likeliest. A character that is no piece is
// unknown; a run of them is one token, or their bytes' tokens.
type unigram struct {
	lattice[float64]
	pieces []scored
	bytes  *[256]int32 // the ids of the bytes' pieces, -1 where there is none; nil without fallback
	empty  int32       // the id of the empty piece, or -1
}

// newUnigram returns the model of pieces, whose ids are their indices; of equal ones the
// last counts. unk is -1 where nothing stands for unknown characters.
func newUnigram(pieces []scored, unk int, byteFallback bool) (*unigram, error) {
	if unk < -1 || unk >= len(pieces) {
		return nil, fmt.Errorf("tokenizer: Unigram's unk_id is %d, want one of its %d pieces", unk, len(pieces))
	}
	u := &unigram{pieces: pieces, empty: -1}
	keys, worst := make([]string, len(pieces)), math.Inf(1)
	u.scores = make([]float64, len(pieces))
	for i, p := range pieces {
		keys[i], u.scores[i], worst = p.piece, p.score, min(worst, p.score)
		if p.piece == "" {
			u.empty = int32(i)
		}
	}
	u.trie, u.unk, u.unknown = newPrefixTrie(keys), int32(unk), worst-unknownPenalty
	if byteFallback {
		u.bytes = new([256]int32)
		for b := range u.bytes {
			u.bytes[b] = u.trie.find(bytePiece(byte(b)))
		}
	}
	return u, nil
}

// bytePiece is the spelling of the piece that stands for a byte.
func bytePiece(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

func (u *unigram) id(piece string) (id int32, ok bool) {
	if piece == "" {
		return u.empty, u.empty >= 0
	}
	id = u.trie.find(piece)
	return id, id >= 0
}

func (u *unigram) token(id int32) (piece string, ok bool) {
	if id < 0 || int(id) >= len(u.pieces) {
		return "", false
	}
	return u.pieces[id].piece, true
}

func (u *unigram) size() int { return len(u.pieces) }

func (u *unigram) top() int { return len(u.pieces) }

func (u *unigram) start() tokenizing { return &unigramTokenizing{unigram: u} }

type unigramTokenizing struct {
	*unigram
	ends []pathEnd[float64]
}

var errNoUnknown = errors.New("tokenizer: a character is not in the vocabulary of Unigram, which has no unk_id")

func (u *unigramTokenizing) tokenize(dst []token, piece []byte) ([]token, error) {
	ok := false
	if u.ends, ok = u.search(u.ends[:0], piece); !ok {
		return dst, errNoUnknown
	}
	first := len(dst)
	for to := int32(len(piece)); to > 0; {
		from, id := u.ends[to].from, u.ends[to].id
		if id != u.unk {
			dst = append(dst, token{id, span{from, to}})
			to = from
			continue
		}
		for from > 0 && u.ends[from].id == u.unk {
			from = u.ends[from].from
		}
		dst = u.unknownTokens(dst, piece, span{from, to})
		to = from
	}
	slices.Reverse(dst[first:])
	return dst, nil
}

// unknownTokens appends, from last to first, what stands for a run of unknown characters.
func (u *unigram) unknownTokens(dst []token, b []byte, s span) []token {
	run := b[s.from:s.to]
	if id := u.trie.findBytes(run); id >= 0 {
		return append(dst, token{id, s})
	}
	if u.bytes == nil {
		return append(dst, token{u.unk, s})
	}
	for _, c := range run {
		if u.bytes[c] < 0 {
			return append(dst, token{u.unk, s})
		}
	}
	for i := len(run) - 1; i >= 0; i-- {
		dst = append(dst, token{u.bytes[run[i]], s})
	}
	return dst
}
