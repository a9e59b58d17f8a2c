package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// scored is a piece of a Unigram model, with the logarithm of its probability.
type scored struct {
	piece string
	score float64
}

// unknownPenalty is by how much a character without a piece is worse than the worst piece.
const unknownPenalty = 10

// A unigram is the Unigram model (Kudo, arXiv:1804.10959) as the tokenizers library has
// it: of all ways to write a text as pieces the likeliest, sums being formed in float64
// from left to right and replaced by greater ones only. A character that is no piece is
// unknown; a run of them is one token, or their bytes' tokens.
type unigram struct {
	pieces  []scored
	trie    *prefixTrie
	unk     int32 // -1 where there is none
	bytes   *[256]int32
	empty   int32 // the id of the empty piece, or -1
	unknown float64
}

// newUnigram returns the model of pieces, whose ids are their indices; of equal ones the
// last counts. unk is -1 where nothing stands for unknown characters.
func newUnigram(pieces []scored, unk int, byteFallback bool) (*unigram, error) {
	if unk < -1 || unk >= len(pieces) {
		return nil, fmt.Errorf("tokenizer: Unigram's unk_id is %d, want one of its %d pieces", unk, len(pieces))
	}
	u := &unigram{pieces: pieces, unk: int32(unk), empty: -1}
	keys := make([]string, len(pieces))
	worst := math.Inf(1)
	for i, p := range pieces {
		keys[i], worst = p.piece, min(worst, p.score)
		if p.piece == "" {
			u.empty = int32(i)
		}
	}
	u.trie, u.unknown = newPrefixTrie(keys), worst-unknownPenalty
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

func (u *unigram) start() tokenizing { return &viterbi{unigram: u} }

// viterbi finds the best path through a text: best[i] is the best one that ends before
// byte i.
type viterbi struct {
	*unigram
	best []pathEnd
}

type pathEnd struct {
	score float64
	from  int32 // where the path's last piece begins; -1 where there is no path
	id    int32
}

var errNoUnknown = errors.New("tokenizer: a character is not in the vocabulary of Unigram, which has no unk_id")

func (v *viterbi) tokenize(dst []token, piece []byte) ([]token, error) {
	if err := v.search(piece); err != nil {
		return dst, err
	}
	return v.tokens(dst, piece), nil
}

func (v *viterbi) search(b []byte) error {
	v.best = append(v.best[:0], pathEnd{})
	for range b {
		v.best = append(v.best, pathEnd{from: -1})
	}
	nodes := v.trie.nodes
	for at := 0; at < len(b); {
		before, size := v.best[at].score, runeSize(b[at:])
		single := false
		for n, i := int32(0), at; i < len(b); {
			next := nodes[n].base ^ uint32(b[i])
			if nodes[next].parent != n {
				break
			}
			n = int32(next)
			i++
			if id := nodes[n].value; id >= 0 {
				v.reach(i, at, id, before+v.pieces[id].score)
				single = single || i-at == size
			}
		}
		if !single && v.reach(at+size, at, v.unk, before+v.unknown) && v.unk < 0 {
			return errNoUnknown
		}
		at += size
	}
	return nil
}

// reach tells whether a piece makes the best path to where it ends, so far.
func (v *viterbi) reach(end, from int, id int32, score float64) bool {
	if e := &v.best[end]; e.from < 0 || score > e.score {
		*e = pathEnd{score, int32(from), id}
		return true
	}
	return false
}

// tokens appends the best path, which is found from its end.
func (v *viterbi) tokens(dst []token, b []byte) []token {
	first := len(dst)
	for to := int32(len(b)); to > 0; {
		from, id := v.best[to].from, v.best[to].id
		if id != v.unk {
			dst = append(dst, token{id, span{from, to}})
			to = from
			continue
		}
		for from > 0 && v.best[from].id == v.unk {
			from = v.best[from].from
		}
		dst = v.unknownTokens(dst, b, span{from, to})
		to = from
	}
	for i, j := first, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// unknownTokens appends, from last to first, what stands for a run of unknown characters.
func (u *unigram) unknownTokens(dst []token, b []byte, s span) []token {
	run := b[s.from:s.to]
	if id := u.trie.find(string(run)); id >= 0 {
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

// runeSize is the number of bytes of the first character; b is not empty.
func runeSize(b []byte) int {
	if b[0] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRune(b)
	return n
}
