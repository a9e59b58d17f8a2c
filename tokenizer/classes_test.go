package tokenizer

import "testing"

func TestLower(t *testing.T) {
	for r, want := range map[rune]rune{'A': 'a', 'z': 'z', 'É': 'é', 'ÿ': 'ÿ', 'Σ': 'σ', 'Ā': 'ā', 'ā': 'ā', 'Ƀ': 'ƀ', '\u1e9e': 'ß', 'K': 'k', '\U00010400': '\U00010428', '\u2c63': '\u1d7d', '\u13a0': '\uab70', '\U0010ffff': '\U0010ffff'} {
		if got := lower(r); got != want {
			t.Errorf("%q: got %q, want %q", r, got, want)
		}
	}
}
