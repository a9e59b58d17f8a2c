package tokenizer

import "unicode/utf8"

// bertNormalizer is BERT's: it removes control characters, puts spaces around ideographs,
// removes accents and makes letters small.
type bertNormalizer struct{ clean, ideographs, accents, lower bool }

func (n bertNormalizer) normalize(t *text) error {
	if n.clean {
		mapRunes(t, cleanBERT)
	}
	ascii := asciiRun(t.b) == len(t.b)
	if n.ideographs && !ascii {
		spaceIdeographs(t)
	}
	if n.accents && !ascii {
		if err := (normalForm{}).normalize(t); err != nil {
			return err
		}
		mapRunes(t, func(r rune) rune {
			if isNonspacing(r) {
				return gone
			}
			return r
		})
	}
	if n.lower {
		return lowercase{}.normalize(t)
	}
	return nil
}

func cleanBERT(r rune) rune {
	switch {
	case ' ' <= r && r < 0x7f:
		return r
	case isControl(r), r == utf8.RuneError:
		return gone
	case isSpace(r):
		return ' '
	}
	return r
}

func spaceIdeographs(t *text) {
	t.edit()
	for t.at < len(t.b) {
		r, n := utf8.DecodeRune(t.rest())
		if !isIdeograph(r) {
			t.keep(n)
			continue
		}
		t.put(' ', n)
		t.add(r)
		t.add(' ')
	}
	t.done()
}
