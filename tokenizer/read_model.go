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
	err := s.object(func(key []byte) (err error) {
		switch name := string(key); {
		case name == "vocab" && s.peek() == '[':
			pieces, err = readScored(s)
		case name == "vocab":
			words, err = readVocabulary(s)
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
	kind, err := get(m, "type", aString, kindByFields(m, words, pieces))
	if err != nil {
		return nil, err
	}
	switch {
	case kind == "BPE" && words != nil:
		return readBytePairs(m, words)
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
func kindByFields(m settings, words *lexicon, pieces []scored) string {
	switch {
	case pieces != nil:
		return "Unigram"
	case m.has("merges"):
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
func readMergeList(data []byte, l *lexicon, prefix string) (merges []mergeSlot, err error) {
	s := &scanner{data: data}
	merges = make([]mergeSlot, 0, len(data)/16)
	var left, right, joined []byte
	var buffer []byte // of the left symbol, while the right one is read
	pairs := false
	err = s.array(func() error {
		if s.peek() == '[' {
			pairs = true
			n := 0
			err := s.array(func() error {
				b, err := s.bytes()
				switch n++; n {
				case 1:
					buffer = append(buffer[:0], b...)
					left = buffer
				case 2:
					right = b
				default:
					return errors.New("want two symbols")
				}
				return err
			})
			if err != nil {
				return err
			}
			if n != 2 {
				return errors.New("want two symbols")
			}
		} else {
			b, err := s.bytes()
			if err != nil {
				return err
			}
			if pairs {
				return errors.New("want two symbols, as before")
			}
			if bytes.HasPrefix(b, []byte("#version")) {
				return nil
			}
			var ok bool
			if left, right, ok = bytes.Cut(b, []byte{' '}); !ok || bytes.IndexByte(right, ' ') >= 0 {
				return fmt.Errorf("%.80q, want two symbols with a space between", b)
			}
		}
		m, err := newMerge(l, left, right, prefix, &joined)
		m.rank = int32(len(merges))
		merges = append(merges, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("merges: merge %d: %w", len(merges), err)
	}
	return merges, nil
}

// newMerge looks up what a merge makes of two symbols: the second one without its prefix.
func newMerge(l *lexicon, left, right []byte, prefix string, joined *[]byte) (m mergeSlot, err error) {
	if len(right) < len(prefix) {
		return m, fmt.Errorf("symbol %.40q is shorter than continuing_subword_prefix", right)
	}
	*joined = append(append((*joined)[:0], left...), right[len(prefix):]...)
	var ids [3]int32
	for i, symbol := range [...][]byte{left, right, *joined} {
		id, ok := l.find(symbol)
		if !ok {
			return m, fmt.Errorf("%.40q and %.40q: there is no symbol %.80q", left, right, symbol)
		}
		ids[i] = id
	}
	return mergeSlot{pair: pairOf(ids[0], ids[1]), joined: ids[2]}, nil
}

func readBytePairs(m settings, l *lexicon) (*bytePairs, error) {
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
	if !m.has("merges") {
		return nil, errors.New("merges is missing")
	}
	merges, err := readMergeList(m["merges"], l, o.prefix)
	if err != nil {
		return nil, err
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
