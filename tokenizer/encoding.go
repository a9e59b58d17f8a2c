package tokenizer

import (
	"errors"
	"fmt"

	"github.com/goclip/goclip/internal/enum"
)

// A Token is a token of a text, or one that was put beside its tokens.
type Token struct {
	ID   int32
	Text string // as the vocabulary writes it; of an added token as the text does
	// Where it stands in the text, in bytes; both are 0 if it does not.
	From, To int
	Type     int32 // which of two texts it belongs to, as models are told
	Special  bool  // put there by the post-processor or the padding
	Padding  bool  // masked
}

// An Encoding is a text, or a pair of texts, in tokens.
type Encoding struct {
	Tokens []Token
	// Overflowing are the parts that were cut off, each with its own special tokens.
	Overflowing []Encoding
}

// IDs returns the ids of the tokens.
func (e Encoding) IDs() []int32 {
	ids := make([]int32, len(e.Tokens))
	for i, t := range e.Tokens {
		ids[i] = t.ID
	}
	return ids
}

// maxOverflowing bounds the tokens of all parts that overflow: with a stride of almost the
// whole length they would be the square of the text's.
const maxOverflowing = 1 << 22

var errOverflowing = errors.New("tokenizer: the parts that were cut off overlap too much")

// merge appends another encoding. Each overflowing part goes with each of the other's.
func (e *Encoding) merge(o Encoding) error {
	var over []Encoding
	parts := (len(e.Overflowing)+1)*(len(o.Overflowing)+1) - 1
	if parts > 0 && parts > maxOverflowing/(len(e.Tokens)+len(o.Tokens)+1) {
		return errOverflowing
	}
	join := func(a, b Encoding) {
		tokens := append(a.Tokens[:len(a.Tokens):len(a.Tokens)], b.Tokens...)
		over = append(over, Encoding{Tokens: tokens})
	}
	for _, a := range e.Overflowing {
		join(a, o)
		for _, b := range o.Overflowing {
			join(a, b)
		}
	}
	for _, b := range o.Overflowing {
		join(*e, b)
	}
	e.Tokens, e.Overflowing = append(e.Tokens, o.Tokens...), over
	return nil
}

// Truncation says how texts are cut to a length.
type Truncation struct {
	Length   int // in tokens, special ones included
	Strategy TruncationStrategy
	Side     Side
	Stride   int // tokens that overflowing parts share with the part before
}

// TruncationStrategy says which of two texts is cut.
type TruncationStrategy uint8

// The strategies, by the names that files give them.
const (
	LongestFirst TruncationStrategy = 1 + iota // "LongestFirst": both, to about the same length
	OnlyFirst                                  // "OnlyFirst"
	OnlySecond                                 // "OnlySecond"
)

// Side is an end of a text.
type Side uint8

// The sides, by the names that files give them.
const (
	Right Side = 1 + iota // "Right"
	Left                  // "Left"
)

// truncate cuts one text or two.
func (t *Truncation) truncate(all []Encoding, special int) error {
	limit := t.Length - special
	if limit < 0 {
		return fmt.Errorf("tokenizer: a length of %d leaves no room for %d special tokens", t.Length, special)
	}
	total := 0
	for _, e := range all {
		total += len(e.Tokens)
	}
	if total <= limit && limit > 0 {
		return nil
	}
	if limit == 0 {
		for i := range all {
			if err := all[i].cut(0, t.Stride, t.Side); err != nil {
				return err
			}
		}
		return nil
	}
	if t.Strategy == LongestFirst {
		if len(all) == 1 {
			return all[0].cut(limit, t.Stride, t.Side)
		}
		n1, n2 := shares(len(all[0].Tokens), len(all[1].Tokens), limit)
		if err := all[0].cut(n1, t.Stride, t.Side); err != nil {
			return err
		}
		return all[1].cut(n2, t.Stride, t.Side)
	}
	target := 0
	if t.Strategy == OnlySecond {
		target = 1
	}
	if target >= len(all) {
		return errors.New("tokenizer: there is no second text to truncate")
	}
	n := len(all[target].Tokens)
	if n <= total-limit {
		return fmt.Errorf("tokenizer: the text to truncate has %d tokens, and %d are to go", n, total-limit)
	}
	return all[target].cut(n-(total-limit), t.Stride, t.Side)
}

// shares divides a length among two texts.
func shares(n1, n2, limit int) (int, int) {
	swap := n1 > n2
	if swap {
		n1 = n2
	}
	if n1 > limit {
		n2 = n1
	} else {
		n2 = max(n1, limit-n1)
	}
	if n1+n2 > limit {
		n1 = limit / 2
		n2 = n1 + limit%2
	}
	if swap {
		return n2, n1
	}
	return n1, n2
}

// cut keeps n tokens; the others become overflowing parts of as many.
func (e *Encoding) cut(n, stride int, side Side) error {
	all := e.Tokens
	if n >= len(all) {
		return nil
	}
	if n == 0 {
		*e = Encoding{Overflowing: append(e.Overflowing, Encoding{Tokens: all})}
		return nil
	}
	if stride >= n {
		return fmt.Errorf("tokenizer: the stride is %d, want less than the %d tokens that remain", stride, n)
	}
	step := n - stride
	if len(all)/step > maxOverflowing/n {
		return errOverflowing
	}
	var parts []Encoding
	if side == Left {
		for to := len(all); ; to -= step {
			from := max(to-n, 0)
			parts = append(parts, Encoding{Tokens: all[from:to:to]})
			if from == 0 {
				break
			}
		}
	} else {
		for from := 0; ; from += step {
			to := min(from+n, len(all))
			parts = append(parts, Encoding{Tokens: all[from:to:to]})
			if to == len(all) {
				break
			}
		}
	}
	*e = parts[0]
	e.Overflowing = parts[1:]
	return nil
}

// Padding says how short encodings are filled up.
type Padding struct {
	Length   int // in tokens; 0: as long as the longest of a batch
	Multiple int // the length is a multiple of it; 0: of any
	Side     Side
	ID, Type int32
	Text     string // of the token
}

// maxPadding bounds lengths that files ask for.
const maxPadding = 1 << 17

func (p *Padding) pad(all []Encoding) {
	length := p.Length
	if length == 0 {
		for _, e := range all {
			length = max(length, len(e.Tokens))
		}
	}
	if p.Multiple > 0 && length%p.Multiple > 0 {
		length += p.Multiple - length%p.Multiple
	}
	for i := range all {
		all[i].pad(p, length)
	}
}

func (e *Encoding) pad(p *Padding, length int) {
	for i := range e.Overflowing {
		e.Overflowing[i].pad(p, length)
	}
	if len(e.Tokens) >= length {
		return
	}
	filling := make([]Token, length-len(e.Tokens), length)
	for i := range filling {
		filling[i] = Token{ID: p.ID, Text: p.Text, Type: p.Type, Special: true, Padding: true}
	}
	if p.Side == Left {
		e.Tokens = append(filling, e.Tokens...)
	} else {
		e.Tokens = append(e.Tokens[:len(e.Tokens):len(e.Tokens)], filling...)
	}
}

func strategyNames() map[TruncationStrategy]string {
	return map[TruncationStrategy]string{LongestFirst: "LongestFirst", OnlyFirst: "OnlyFirst", OnlySecond: "OnlySecond"}
}

func sideNames() map[Side]string { return map[Side]string{Right: "Right", Left: "Left"} }

// String returns the name of s.
func (s TruncationStrategy) String() string { return enum.String(s, strategyNames()) }

// String returns the name of s.
func (s Side) String() string { return enum.String(s, sideNames()) }

func (t *Truncation) validate() error {
	switch {
	case enum.Valid(t.Strategy, strategyNames()) != nil:
		return fmt.Errorf("tokenizer: Truncation.Strategy %w", enum.Valid(t.Strategy, strategyNames()))
	case enum.Valid(t.Side, sideNames()) != nil:
		return fmt.Errorf("tokenizer: Truncation.Side %w", enum.Valid(t.Side, sideNames()))
	case t.Length < 0:
		return fmt.Errorf("tokenizer: Truncation.Length is %d, want 0 or more", t.Length)
	case t.Stride < 0:
		return fmt.Errorf("tokenizer: Truncation.Stride is %d, want 0 or more", t.Stride)
	}
	return nil
}

func (p *Padding) validate() error {
	switch {
	case enum.Valid(p.Side, sideNames()) != nil:
		return fmt.Errorf("tokenizer: Padding.Side %w", enum.Valid(p.Side, sideNames()))
	case p.Length < 0 || p.Length > maxPadding:
		return fmt.Errorf("tokenizer: Padding.Length is %d, want 0 to %d", p.Length, maxPadding)
	case p.Multiple < 0 || p.Multiple > maxPadding:
		return fmt.Errorf("tokenizer: Padding.Multiple is %d, want 0 to %d", p.Multiple, maxPadding)
	}
	return nil
}
