package tokenizer

import (
	"container/heap"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// TrainOptions says what vocabulary [TrainBPE] makes.
type TrainOptions struct {
	// VocabSize is the number of ids at most; required. Fewer are made where
	// the captions have no more pairs to join.
	VocabSize int
	// MinCount is how often a pair must occur to be joined; zero means 2.
	MinCount int
	// AllBytes gives all 256 bytes their two ids, as CLIP's vocabulary does, so
	// that no text is unknown. Otherwise only the bytes of the captions and the
	// characters of ASCII have ids, which leaves a small vocabulary more to
	// learn, and each other byte is read as the token <|unk|>.
	AllBytes bool
	BPEOptions
}

// maxTrained is the length in bytes of the longest word that is learned from.
const maxTrained = 256

// TrainBPE learns a vocabulary from captions. Its ids are, in this order: bytes
// inside a word, bytes at the end of one, joined symbols in the order in which
// they were learned, <|unk|> unless all bytes have ids, start and end token.
//
// In each step the pair of symbols that occurs most often, counting each word
// as often as it occurs, becomes one symbol; of pairs that occur equally often,
// the one whose left id is lowest, then the one whose right id is. A pair that
// spells a symbol which another pair has made already is left alone. The result
// depends on how often each word occurs and on nothing else.
func TrainBPE(captions iter.Seq[string], opts TrainOptions) (*BPE, error) {
	if captions == nil {
		return nil, errors.New("tokenizer: captions is nil")
	}
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if opts.VocabSize > maxVocab {
		return nil, fmt.Errorf("tokenizer: VocabSize is %d, want %d at most", opts.VocabSize, maxVocab)
	}
	if opts.MinCount == 0 {
		opts.MinCount = 2
	}
	if opts.MinCount < 1 {
		return nil, fmt.Errorf("tokenizer: MinCount is %d, want 1 at least", opts.MinCount)
	}
	specials := opts.Specials.names()
	words := countWords(captions, opts.Clean, specials)
	v := newVocabulary("trained vocabulary", 0)
	alphabet := alphabetOf(words, opts)
	if err := v.addBytes(alphabet); err != nil {
		return nil, in(v.source, err)
	}
	tail := specials[:]
	if !opts.AllBytes {
		tail = append([]string{unknownToken}, tail...)
	}
	if smallest := len(v.symbols) + len(tail); opts.VocabSize < smallest {
		return nil, fmt.Errorf("tokenizer: VocabSize is %d, want at least %d: %d bytes inside a word and at its end, and %q",
			opts.VocabSize, smallest, len(alphabet), tail)
	}
	if err := newLearner(v, words).learn(opts.VocabSize-len(tail), opts.MinCount); err != nil {
		return nil, in(v.source, err)
	}
	if err := v.add(tail...); err != nil {
		return nil, in(v.source, err)
	}
	return v.tokenizer(opts.BPEOptions)
}

// countWords returns how often each word occurs, without special tokens and
// words that are too long.
func countWords(captions iter.Seq[string], clean Clean, specials [2]string) map[string]int {
	count := map[string]int{}
	for s := range captions {
		s = clean.Text(s)
		for {
			var word string
			if word, s = nextWord(s, &specials); word == "" {
				break
			}
			if len(word) <= maxTrained && word != specials[0] && word != specials[1] {
				count[word]++
			}
		}
	}
	return count
}

// alphabetOf returns the bytes that get ids, in CLIP's order: all, or those of
// the words and those of ASCII that remain when text is cleaned.
func alphabetOf(words map[string]int, opts TrainOptions) []byte {
	var used [256]bool
	for c := '!'; c <= '~'; c++ {
		used[c] = opts.Clean.Text(string(c)) == string(c)
	}
	for word := range words {
		for i := range len(word) {
			used[word[i]] = true
		}
	}
	return slices.DeleteFunc(byteOrder(), func(b byte) bool { return !used[b] && !opts.AllBytes })
}

// A learner joins the symbols of all words at once.
type learner struct {
	v      *vocabulary
	words  [][]int32 // symbols of the distinct words
	weight []int     // how often they occur
	count  map[pair]int
	where  map[pair][]int32 // words in which a pair is, or has been
	queue  pairQueue
}

func newLearner(v *vocabulary, words map[string]int) *learner {
	l := &learner{v: v, count: map[pair]int{}, where: map[pair][]int32{}}
	chars := byteChars()
	for word, n := range words {
		ids := make([]int32, len(word))
		for i := range len(word) {
			symbol := string(chars[word[i]])
			if i == len(word)-1 {
				symbol += wordEnd
			}
			ids[i] = v.ids[symbol]
		}
		l.words = append(l.words, ids)
		l.weight = append(l.weight, n)
	}
	for i := range l.words {
		l.countPairs(int32(i), 1)
	}
	for p, n := range l.count {
		l.queue = append(l.queue, candidate{p, n})
	}
	heap.Init(&l.queue)
	return l
}

// countPairs adds sign times the pairs of a word to the counts.
func (l *learner) countPairs(word int32, sign int) {
	ids := l.words[word]
	for i := range len(ids) - 1 {
		p := pair{ids[i], ids[i+1]}
		l.count[p] += sign * l.weight[word]
		if w := l.where[p]; sign > 0 && (len(w) == 0 || w[len(w)-1] != word) {
			l.where[p] = append(w, word)
		}
	}
}

// learn joins pairs until the vocabulary has size symbols or no pair occurs
// minCount times.
func (l *learner) learn(size, minCount int) error {
	for len(l.v.symbols) < size && len(l.queue) > 0 {
		best := heap.Pop(&l.queue).(candidate)
		if best.count != l.count[best.pair] {
			continue // outdated; the right one is in the queue, too
		}
		if best.count < minCount {
			return nil
		}
		left, right := l.v.symbols[best.left], l.v.symbols[best.right]
		if _, ok := l.v.ids[left+right]; ok {
			continue
		}
		if err := l.v.add(left + right); err != nil {
			return err
		}
		if err := l.v.addMerge(left, right); err != nil {
			return err
		}
		l.join(merge{best.pair, l.v.ids[left+right]})
	}
	return nil
}

// join joins a pair in all words and queues the pairs whose counts change.
func (l *learner) join(m merge) {
	changed := map[pair]bool{}
	for _, word := range l.where[m.pair] {
		before := l.words[word]
		after := joinPair(before, m)
		if len(after) == len(before) {
			continue
		}
		l.countPairs(word, -1)
		l.words[word] = after
		l.countPairs(word, 1)
		for _, ids := range [][]int32{before, after} {
			for i := range len(ids) - 1 {
				changed[pair{ids[i], ids[i+1]}] = true
			}
		}
	}
	delete(l.where, m.pair)
	for p := range changed {
		if n := l.count[p]; n > 0 {
			heap.Push(&l.queue, candidate{p, n})
		} else {
			delete(l.count, p)
		}
	}
}

// joinPair returns ids with each pair joined, from left to right.
func joinPair(ids []int32, m merge) []int32 {
	out := make([]int32, 0, len(ids))
	for i := 0; i < len(ids); i++ {
		if i+1 < len(ids) && ids[i] == m.left && ids[i+1] == m.right {
			out = append(out, m.joined)
			i++
		} else {
			out = append(out, ids[i])
		}
	}
	return out
}

// A candidate is a pair with its count at some time.
type candidate struct {
	pair
	count int
}

// A pairQueue is a heap with the next pair to join in front.
type pairQueue []candidate

func (q pairQueue) Len() int      { return len(q) }
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q pairQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	switch {
	case a.count != b.count:
		return a.count > b.count
	case a.left != b.left:
		return a.left < b.left
	}
	return a.right < b.right
}
func (q *pairQueue) Push(x any) { *q = append(*q, x.(candidate)) }
func (q *pairQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
