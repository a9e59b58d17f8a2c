package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// graphemeClass says what a character does at the borders of grapheme clusters (UAX #29,
// by the Unicode version of graphemes_table.go, which Rust's unicode-segmentation 1.13
// has).
type graphemeClass uint8

const (
	graphemeAny graphemeClass = iota
	graphemeCR
	graphemeLF
	graphemeControl
	graphemeExtend
	graphemeZWJ
	graphemeSpacing
	graphemePrepend
	graphemeRegional
	graphemeL
	graphemeV
	graphemeT
	graphemeLV
	graphemeLVT
	graphemePictographic
	graphemeConsonant // of Indic scripts
	graphemeLinker    // of these; extends, as the next does
	graphemeNonJoiner
)

func (c graphemeClass) control() bool {
	return c == graphemeCR || c == graphemeLF || c == graphemeControl
}

func (c graphemeClass) extends() bool {
	return c == graphemeExtend || c == graphemeZWJ || c == graphemeLinker || c == graphemeNonJoiner
}

func graphemeClassOf(r rune) graphemeClass {
	switch {
	case ' ' <= r && r <= '~':
		return graphemeAny
	case 0xac00 <= r && r <= 0xd7a3:
		if (r-0xac00)%28 == 0 {
			return graphemeLV
		}
		return graphemeLVT
	}
	i, found := slices.BinarySearchFunc(graphemeClasses[:], uint32(r), func(e, r uint32) int { return int(e>>8) - int(r) })
	if !found {
		i--
	}
	return graphemeClass(graphemeClasses[i])
}

// graphemeSize is the number of bytes of the first grapheme cluster of b, which is valid
// UTF-8 and not empty, and begins where a cluster does.
func graphemeSize(b []byte) int {
	r, n := utf8.DecodeRune(b)
	var g grapheme
	g.add(graphemeClassOf(r))
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		c := graphemeClassOf(r)
		if !g.continues(c) {
			break
		}
		g.add(c)
		n += size
	}
	return n
}

// A grapheme is what the rules look back at: how a cluster ends, so far.
type grapheme struct {
	last         graphemeClass
	regional     bool // an odd number of regional indicators
	pictographic bool // a pictographic and what extends it, at most one joiner, which is last
	consonant    bool // a consonant and what extends it
	linked       bool // that has a linker
}

func (g *grapheme) add(c graphemeClass) {
	g.regional = c == graphemeRegional && !g.regional
	g.pictographic = c == graphemePictographic || g.pictographic && c.extends() && g.last != graphemeZWJ
	kept := g.consonant && c.extends() && c != graphemeNonJoiner
	g.linked = kept && (g.linked || c == graphemeLinker)
	g.consonant = c == graphemeConsonant || kept
	g.last = c
}

// continues tells whether a character belongs to the cluster.
func (g *grapheme) continues(c graphemeClass) bool {
	switch last := g.last; {
	case last == graphemeCR && c == graphemeLF: // GB3
		return true
	case last.control() || c.control(): // GB4, GB5
		return false
	case c.extends() || c == graphemeSpacing || last == graphemePrepend: // GB9, GB9a, GB9b
		return true
	case last == graphemeL: // GB6
		return c == graphemeL || c == graphemeV || c == graphemeLV || c == graphemeLVT
	case last == graphemeLV || last == graphemeV: // GB7
		return c == graphemeV || c == graphemeT
	case last == graphemeLVT || last == graphemeT: // GB8
		return c == graphemeT
	}
	return c == graphemeConsonant && g.linked || // GB9c
		c == graphemePictographic && g.pictographic && g.last == graphemeZWJ || // GB11
		c == graphemeRegional && g.regional // GB12, GB13
}
