package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// SentencePiece is the tokenizer of a .model file, with the ids and texts of
// google/sentencepiece 0.2.3 (Kudo and Richardson, arXiv:1808.06226): its Unigram model,
// which adds scores in float32, or its byte pair encoding. Hugging Face's tokenizers
// library gives other ids for some texts, with the same pieces.
//
// A SentencePiece is immutable and safe for concurrent use.
type SentencePiece struct {
	spmModel
	charsmap    *charsmap        // or nil
	denormalize *charsmap        // of decoded texts, or nil
	known       *prefixTrie      // the pieces that texts become, and unused ones
	reserved    map[string]int32 // the others
	user        *prefixTrie      // pieces of the user, which nothing takes apart; or nil
	unk         int32            // -1 where there is none
	byteIDs     [256]int32
	lattice     lattice[float32] // of Unigram
	unused      bool             // there are unused pieces
	scratch     sync.Pool        // of *spmScratch
}

// spmScratch is memory for one text at a time.
type spmScratch struct {
	normalized []byte
	tokens     []token
	ends       []pathEnd[float32]
	symbols    []spmSymbol
	pairs      spmPairs
}

// ParseSentencePiece reads a .model file. It refuses what sentencepiece refuses, and its
// models of kind WORD and CHAR.
func ParseSentencePiece(model []byte) (*SentencePiece, error) {
	s, err := newSentencePiece(model)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: SentencePiece model: %w", err)
	}
	return s, nil
}

func newSentencePiece(data []byte) (*SentencePiece, error) {
	s := &SentencePiece{unk: -1, reserved: map[string]int32{}}
	for b := range s.byteIDs {
		s.byteIDs[b] = -1
	}
	err := s.spmModel.read(data)
	if err != nil {
		return nil, err
	}
	if s.charsmap, err = s.normalizer.compiled(); err != nil {
		return nil, fmt.Errorf("normalizer_spec: %w", err)
	}
	if s.denormalize, err = s.denormalizer.compiled(); err != nil {
		return nil, fmt.Errorf("denormalizer_spec: %w", err)
	}
	if err = s.index(); err == nil && s.algorithm == spmUnigram {
		err = s.score()
	}
	return s, err
}

// compiled returns nil where there is no charsmap.
func (n *spmNormalizer) compiled() (*charsmap, error) {
	if len(n.charsmap) == 0 {
		return nil, nil
	}
	c, err := parseCharsmap(n.charsmap)
	if err == nil && (len(c.units) == 0 || len(c.units)%256 != 0) {
		err = fmt.Errorf("its trie has %d units, want a multiple of 256", len(c.units))
	}
	if err == nil && !bytes.HasSuffix(c.replacements, []byte{0}) {
		err = errors.New("its replacements do not end with a zero byte")
	}
	if err != nil {
		return nil, fmt.Errorf("precompiled_charsmap: %w", err)
	}
	return c, nil
}

// index makes the tables of pieces.
func (s *SentencePiece) index() error {
	known, user := make([]string, len(s.pieces)), []string(nil)
	for i, p := range s.pieces {
		switch p.kind {
		case spmUnknown, spmControl, spmByte:
			if _, twice := s.reserved[p.text]; twice {
				return fmt.Errorf("piece %d, %.40q, is there twice", i, p.text)
			}
			s.reserved[p.text] = int32(i)
			if err := s.indexReserved(int32(i), p); err != nil {
				return fmt.Errorf("piece %d, %.40q: %w", i, p.text, err)
			}
		case spmUserDefined:
			user = append(user, p.text)
			known[i] = p.text
		case spmUnused:
			if s.unused = true; p.text != "\x00" { // with which the trainer fills gaps
				known[i] = p.text
			}
		default:
			known[i] = p.text
		}
	}
	if s.unk < 0 && !s.byteFallback {
		return errors.New("no piece is unknown, and byte_fallback is false")
	}
	if s.byteFallback && slices.Contains(s.byteIDs[:], -1) {
		return fmt.Errorf("there is no piece for byte %d, though byte_fallback is true", slices.Index(s.byteIDs[:], -1))
	}
	s.known = newPrefixTrie(known)
	for i, text := range known {
		_, reserved := s.reserved[text]
		if text != "" && (s.known.find(text) != int32(i) || reserved && s.algorithm == spmBPE) {
			return fmt.Errorf("piece %d, %.40q, is there twice", i, text)
		}
	}
	if user != nil {
		s.user = newPrefixTrie(user)
	}
	return nil
}

func (s *SentencePiece) indexReserved(id int32, p spmPiece) error {
	switch p.kind {
	case spmUnknown:
		if s.unk >= 0 {
			return fmt.Errorf("it is unknown, and so is piece %d", s.unk)
		}
		s.unk = id
	case spmByte:
		b, ok := pieceByte(p.text)
		if !ok || !s.byteFallback {
			return fmt.Errorf("it is to be a byte; byte_fallback is %v", s.byteFallback)
		}
		s.byteIDs[b] = id
	}
	return nil
}

// score makes the lattice of Unigram.
func (s *SentencePiece) score() error {
	if len(s.pieces) == len(s.reserved) {
		return errors.New("no piece is a part of texts")
	}
	s.lattice = lattice[float32]{trie: s.known, unk: s.unk, scores: make([]float32, len(s.pieces)), limit: 100_000}
	worst, used := float32(math.MaxFloat32), make([]string, len(s.pieces))
	for i, p := range s.pieces {
		if p.score != p.score || math.IsInf(float64(p.score), 0) {
			return fmt.Errorf("piece %d, %.40q, has the score %v", i, p.text, p.score)
		}
		switch s.lattice.scores[i] = p.score; p.kind {
		case spmNormal:
			worst, used[i] = min(worst, p.score), p.text
		case spmUserDefined: // so that it is always taken, and a long one before two short ones
			s.lattice.scores[i], used[i] = float32(0.1*float64(len(p.text)-1)), p.text
		}
	}
	s.lattice.unknown = worst - unknownPenalty
	if s.unused {
		s.lattice.trie = newPrefixTrie(used)
	}
	if s.unk < 0 {
		s.lattice.unk = int32(len(s.pieces))
	}
	return nil
}

// VocabSize is the number of pieces.
func (s *SentencePiece) VocabSize() int { return len(s.pieces) }

// ID returns the id of a piece.
func (s *SentencePiece) ID(piece string) (id int32, ok bool) {
	if id, ok := s.reserved[piece]; ok {
		return id, true
	}
	id = s.known.find(piece)
	return id, id >= 0
}

// Piece returns the piece of an id.
func (s *SentencePiece) Piece(id int32) (piece string, ok bool) {
	if id < 0 || int(id) >= len(s.pieces) {
		return "", false
	}
	return s.pieces[id].text, true
}

// AppendIDs implements [Engine]; its error is nil. Control pieces such as </s>
// are neither added nor found in the text. Bytes that are not UTF-8 count as U+FFFD each.
func (s *SentencePiece) AppendIDs(dst []int32, text string) ([]int32, error) {
	return s.appendIDs(dst, text), nil
}

func (s *SentencePiece) appendIDs(dst []int32, text string) []int32 {
	w, _ := s.scratch.Get().(*spmScratch)
	if w == nil {
		w = new(spmScratch)
	}
	defer s.scratch.Put(w)
	w.normalized = s.normalizer.apply(w.normalized[:0], s.charsmap, s.user, s.suffixSpace, text)
	if s.algorithm == spmUnigram {
		s.likeliest(w)
	} else {
		s.merge(w)
	}
	unknown := false // the token before
	for _, t := range w.tokens {
		switch {
		case t.id != s.unk:
			dst = append(dst, t.id)
		case s.byteFallback:
			for _, b := range w.normalized[t.from:t.to] {
				dst = append(dst, s.byteIDs[b])
			}
		case !unknown: // a run of them is one
			dst = append(dst, t.id)
		}
		unknown = t.id == s.unk
	}
	return dst
}

// likeliest finds the tokens by Unigram.
func (s *SentencePiece) likeliest(w *spmScratch) {
	w.ends, _ = s.lattice.search(w.ends[:0], w.normalized)
	first := len(w.normalized) + 1 // tokens grow from the end to the front
	if cap(w.tokens) < first {
		w.tokens = make([]token, first)
	}
	w.tokens = w.tokens[:first]
	for to := int32(len(w.normalized)); to > 0; {
		e := w.ends[to]
		if first--; e.id == s.lattice.unk {
			e.id = s.unk
		}
		w.tokens[first] = token{e.id, span{e.from, to}}
		to = e.from
	}
	w.tokens = w.tokens[first : len(w.normalized)+1]
}
