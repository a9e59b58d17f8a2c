package tokenizer

import "hash/maphash"

// A pieceCache remembers the tokens of short pieces: most words of a text have come before.
// It belongs to one goroutine, and forgets everything when it is full.
type pieceCache struct {
	seed   maphash.Seed
	slots  []cached
	text   []byte
	tokens []token
}

type cached struct {
	hash       uint64
	text       uint32 // where the piece begins
	tokens     uint32 // where its tokens begin
	bytes, ids uint16 // how many; no bytes: the slot is free
}

const (
	cacheSlots = 1 << 13
	cachePiece = 48 // bytes of the longest piece
	cacheText  = 1 << 17
	cacheIDs   = 1 << 15
)

func (c *pieceCache) get(piece []byte) ([]token, bool) {
	if c.slots == nil || len(piece) > cachePiece {
		return nil, false
	}
	hash := maphash.Bytes(c.seed, piece)
	s := &c.slots[hash%cacheSlots]
	if s.hash != hash || int(s.bytes) != len(piece) || string(c.text[s.text:][:len(piece)]) != string(piece) {
		return nil, false
	}
	return c.tokens[s.tokens:][:s.ids], true
}

func (c *pieceCache) put(piece []byte, tokens []token) {
	if len(piece) == 0 || len(piece) > cachePiece || len(tokens) > 4*cachePiece {
		return
	}
	if c.slots == nil {
		c.slots, c.seed = make([]cached, cacheSlots), maphash.MakeSeed()
	}
	if len(c.text)+len(piece) > cacheText || len(c.tokens)+len(tokens) > cacheIDs {
		clear(c.slots)
		c.text, c.tokens = c.text[:0], c.tokens[:0]
	}
	hash := maphash.Bytes(c.seed, piece)
	c.slots[hash%cacheSlots] = cached{hash, uint32(len(c.text)), uint32(len(c.tokens)), uint16(len(piece)), uint16(len(tokens))}
	c.text = append(c.text, piece...)
	c.tokens = append(c.tokens, tokens...)
}

// remembering is a model's tokenizing with a cache before it.
type remembering struct {
	tokenizing
	cache pieceCache
}

func (r *remembering) tokenize(dst []token, piece []byte) ([]token, error) {
	if tokens, ok := r.cache.get(piece); ok {
		return append(dst, tokens...), nil
	}
	start := len(dst)
	dst, err := r.tokenizing.tokenize(dst, piece)
	if err == nil {
		r.cache.put(piece, dst[start:])
	}
	return dst, err
}
