package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
)

// readModel reads a model. Files of 2020 lack its type: then it is known by its fields.
func readModel(s *scanner) (model, error) {
	m := settings{}
	var words *lexicon
	var pieces []scored
	var merges []mergeSlot
	err := s.object(func(key []byte) (err error) {
		switch name := string(key); {
		case name == "vocab" && s.peek() == '[':
			pieces, err = readScored(s)
		case name == "vocab":
			words, err = readVocabulary(s)
		case name == "merges" && words != nil && m["continuing_subword_prefix"] != nil:
			// All is known that they need, as in any file that the library has written.
			var prefix string
			if prefix, err = get(m, "continuing_subword_prefix", aString, ""); err == nil {
				merges, err = readMergeList(s, words, prefix)
			}
		default:
			m[name], err = s.raw()
			if len(m) > maxFields {
				err = errMany
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	kind, err := get(m, "type", aString, kindByFields(m, words, pieces, merges))
	if err != nil {
		return nil, err
	}
	switch {
	case kind == "BPE" && words != nil:
		return readBytePairs(m, words, merges)
	case kind == "WordPiece" && words != nil:
		return readWordPiece(m, words)
	case kind == "WordLevel" && words != nil:
		unknown, err := get(m, "unk_token", aString)
		return newWordLevel(words, unknown), err
	case kind == "Unigram" && pieces != nil:
		unknown, err := get(m, "unk_id", aNumber, -1)
		if err != nil {
			return nil, err
		}
		bytes, err := get(m, "byte_fallback", aBool, false)
		if err != nil {
			return nil, err
		}
		return newUnigram(pieces, int(unknown), bytes)
	case words == nil && pieces == nil:
		return nil, errors.New("vocab is missing")
	}
	return nil, notSupported(fmt.Sprintf("type %.40q with such a vocab", kind))
}

// kindByFields is the reference's guess: the first model that the fields are enough for.
func kindByFields(m settings, words *lexicon, pieces []scored, merges []mergeSlot) string {
	switch {
	case pieces != nil:
		return "Unigram"
	case merges != nil || m.has("merges"):
		return "BPE"
	case m.has("continuing_subword_prefix") && m.has("max_input_chars_per_word"):
		return "WordPiece"
	case words != nil:
		return "WordLevel"
	}
	return ""
}

func readVocabulary(s *scanner) (*lexicon, error) {
	data, err := s.raw()
	if err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	s, b := &scanner{data: data}, newLexiconBuilder(len(data))
	err = s.object(func(key []byte) error {
		b.add(key, 0) // before the number is read, since the key is lost then
		id, err := s.natural()
		b.entries[len(b.entries)-1].id = id
		if err != nil {
			return fmt.Errorf("id of a token: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	l, err := b.build()
	if err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	return l, nil
}

func readScored(s *scanner) (all []scored, err error) {
	all = []scored{}
	err = s.array(func() error {
		var p scored
		n := 0
		err := s.array(func() (err error) {
			switch n++; n {
			case 1:
				p.piece, err = s.string()
			case 2:
				p.score, err = s.float()
			default:
				err = errors.New("want a piece and its score")
			}
			return err
		})
		if err == nil && n != 2 {
			err = errors.New("want a piece and its score")
		}
		all = append(all, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("vocab: piece %d: %w", len(all), err)
	}
	return all, nil
}

// readMergeList reads merges: an array of "left right" or, in newer files, of ["left",
// "right"], where symbols may hold spaces.
func readMergeList(s *scanner, l *lexicon, prefix string) ([]mergeSlot, error) {
	r := newMergeReader(l, prefix, len(s.data)-s.at)
	var left []byte
	pairs := false
	err := s.array(func() error {
		if s.peek() == '[' {
			pairs = true
			n := 0
			err := s.array(func() error {
				b, err := s.bytes()
				switch n++; {
				case err != nil:
					return err
				case n == 1:
					left = append(left[:0], b...) // b is gone when the right one is read
					return nil
				case n == 2:
					return r.add(left, b)
				}
				return errTwoSymbols
			})
			if err == nil && n < 2 {
				err = errTwoSymbols
			}
			return err
		}
		b, err := s.bytes()
		if err != nil || bytes.HasPrefix(b, []byte("#version")) {
			return err
		}
		left, right, ok := bytes.Cut(b, []byte{' '})
		if !ok || bytes.IndexByte(right, ' ') >= 0 || pairs {
			return fmt.Errorf("%.80q, want two symbols with a space between", b)
		}
		return r.add(left, right)
	})
	if err != nil {
		return nil, fmt.Errorf("merges: merge %d: %w", len(r.written), err)
	}
	return r.merges()
}

var errTwoSymbols = errors.New("want two symbols")

func readBytePairs(m settings, l *lexicon, merges []mergeSlot) (*bytePairs, error) {
	var o pairOptions
	var err error
	text := func(name string, to *string) {
		if err == nil {
			*to, err = get(m, name, aString, "")
		}
	}
	flag := func(name string, to *bool) {
		if err == nil {
			*to, err = get(m, name, aBool, false)
		}
	}
	text("unk_token", &o.unknown)
	text("continuing_subword_prefix", &o.prefix)
	text("end_of_word_suffix", &o.suffix)
	flag("fuse_unk", &o.fuse)
	flag("byte_fallback", &o.byteFallback)
	flag("ignore_merges", &o.ignoreMerges)
	if err != nil {
		return nil, err
	}
	if merges == nil {
		if !m.has("merges") {
			return nil, errors.New("merges is missing")
		}
		if merges, err = readMergeList(&scanner{data: m["merges"]}, l, o.prefix); err != nil {
			return nil, err
		}
	}
	dropout, err := get(m, "dropout", (*scanner).float, 0)
	if err != nil {
		return nil, err
	}
	if dropout != 0 {
		return nil, notSupported("dropout, which makes tokens random,")
	}
	return newBytePairs(l, merges, o), nil
}

func readWordPiece(m settings, l *lexicon) (*wordPiece, error) {
	unknown, err := get(m, "unk_token", aString)
	if err != nil {
		return nil, err
	}
	prefix, err := get(m, "continuing_subword_prefix", aString)
	if err != nil {
		return nil, err
	}
	longest, err := get(m, "max_input_chars_per_word", aNumber)
	if err != nil {
		return nil, err
	}
	return newWordPiece(l, unknown, prefix, int(longest))
}
