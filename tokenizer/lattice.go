package tokenizer

import "unicode/utf8"

// A lattice is all ways to write a text as pieces, of which the likeliest is wanted. Sums
// of scores are formed from left to right and replaced by greater ones only, which decides
// where several are equal: in float64 by the tokenizers library, in float32 by
// sentencepiece, whose limit keeps the sums of long texts near zero.
type lattice[F float32 | float64] struct {
	trie    *prefixTrie
	scores  []F
	unk     int32 // of a character that is no piece
	unknown F     // its score
	limit   F     // 0: none
}

// A pathEnd is the best path that ends somewhere, so far.
type pathEnd[F float32 | float64] struct {
	score F
	from  int32 // where its last piece begins; -1 where there is no path
	id    int32 // of its last piece
}

// search appends to ends the best path to each byte of b, to 0 first, and tells whether
// there are pieces for all of it; where unk is negative, there might not.
func (l *lattice[F]) search(ends []pathEnd[F], b []byte) ([]pathEnd[F], bool) {
	ends = append(ends, pathEnd[F]{})
	for range b {
		ends = append(ends, pathEnd[F]{from: -1})
	}
	nodes, furthest := l.trie.nodes, 0
	for at := 0; at < len(b); {
		before, size, single := ends[at].score, runeSize(b[at:]), false
		if l.limit > 0 && (before > l.limit || before < -l.limit) {
			for i := at; i <= furthest; i++ {
				ends[i].score -= before
			}
			before = 0
		}
		for n, i := int32(0), at; i < len(b); {
			next := nodes[n].base ^ uint32(b[i])
			if nodes[next].parent != n {
				break
			}
			n = int32(next)
			i++
			if id := nodes[n].value; id >= 0 {
				furthest = max(furthest, i)
				reach(&ends[i], at, id, before+l.scores[id])
				single = single || i-at == size
			}
		}
		if !single {
			furthest = max(furthest, at+size)
			if reach(&ends[at+size], at, l.unk, before+l.unknown) && l.unk < 0 {
				return ends, false
			}
		}
		at += size
	}
	return ends, true
}

// reach tells whether a piece makes the best path to where it ends, so far.
func reach[F float32 | float64](end *pathEnd[F], from int, id int32, score F) bool {
	if end.from >= 0 && !(score > end.score) {
		return false
	}
	*end = pathEnd[F]{score, int32(from), id}
	return true
}

// runeSize is the number of bytes of the first character; b is not empty.
func runeSize(b []byte) int {
	if b[0] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRune(b)
	return n
}
