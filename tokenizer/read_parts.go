package tokenizer

import (
	"errors"
	"fmt"
)

func readNormalizer(m settings, l *limits) (normalizer, error) {
	kind, err := typeOf(m)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		all, err := readSequence(m, "normalizers", l, readNormalizer)
		return normalizers(all), err
	case "NFC":
		return normalForm{composed: true}, nil
	case "NFD":
		return normalForm{}, nil
	case "NFKC":
		return normalForm{compatible: true, composed: true}, nil
	case "NFKD":
		return normalForm{compatible: true}, nil
	case "Lowercase":
		return lowercase{}, nil
	case "StripAccents":
		return stripAccents{}, nil
	case "Nmt":
		return nmt{}, nil
	case "ByteLevel":
		return newByteAlphabet(), nil
	case "Prepend":
		s, err := get(m, "prepend", aString)
		if len(s) > maxContent {
			return nil, fmt.Errorf("prepend has %d bytes, want at most %d", len(s), maxContent)
		}
		return prepend(s), err
	case "Strip":
		return readStrip(m)
	case "Replace":
		return readReplace(m)
	case "BertNormalizer":
		return readBERT(m)
	case "Precompiled":
		return readPrecompiled(m)
	}
	return nil, notSupported(fmt.Sprintf("type %.40q", kind))
}

func readStrip(m settings) (n strip, err error) {
	if n.left, err = get(m, "strip_left", aBool); err == nil {
		n.right, err = get(m, "strip_right", aBool)
	}
	return n, err
}

func readBERT(m settings) (n bertNormalizer, err error) {
	n.clean, err = get(m, "clean_text", aBool)
	if err == nil {
		n.ideographs, err = get(m, "handle_chinese_chars", aBool)
	}
	if err == nil {
		n.lower, err = get(m, "lowercase", aBool)
	}
	if err == nil {
		n.accents, err = get(m, "strip_accents", aBool, n.lower)
	}
	return n, err
}

// readPattern reads {"String": …} or {"Regex": …}.
func readPattern(m settings) (*pattern, error) {
	fields, err := readSettings(m["pattern"])
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	if len(fields) != 1 {
		return nil, errors.New("pattern: want either String or Regex")
	}
	if fields.has("String") {
		s, err := get(fields, "String", aString)
		return stringPattern(s), err
	}
	expr, err := get(fields, "Regex", aString)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	return newPattern(expr, false)
}

// maxContent bounds what is put into texts.
const maxContent = 256

func readReplace(m settings) (n replace, err error) {
	if n.pattern, err = readPattern(m); err == nil {
		n.content, err = get(m, "content", aString)
	}
	if len(n.content) > maxContent {
		return n, fmt.Errorf("content has %d bytes, want at most %d", len(n.content), maxContent)
	}
	return n, err
}

func readPreTokenizer(m settings, l *limits) (preTokenizer, error) {
	kind, err := typeOf(m)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		all, err := readSequence(m, "pretokenizers", l, readPreTokenizer)
		return preTokenizers(all), err
	case "BertPreTokenizer":
		return bertWords(), nil
	case "Whitespace":
		return whitespaceWords(), nil
	case "WhitespaceSplit":
		return splitRunes{removed, isSpace}, nil
	case "UnicodeScripts":
		return unicodeScripts{}, nil
	case "ByteLevel":
		return readByteLevel(m)
	case "Metaspace":
		return readMetaspace(m)
	case "Digits":
		each, err := get(m, "individual_digits", aBool)
		if each {
			return splitRunes{isolated, isNumber}, err
		}
		return splitRunes{contiguous, isNumber}, err
	case "Punctuation":
		b, err := getEnum(m, "behavior", behaviorNames(), isolated)
		return splitRunes{b, isPunctuation}, err
	case "CharDelimiterSplit":
		r, err := get(m, "delimiter", aRune)
		return splitRunes{removed, func(c rune) bool { return c == r }}, err
	case "FixedLength":
		n, err := get(m, "length", aNumber, 5)
		if err == nil && n == 0 {
			err = errors.New("length is 0, want 1 or more")
		}
		return fixedLength(n), err
	case "Split":
		return readSplit(m)
	}
	return nil, notSupported(fmt.Sprintf("type %.40q", kind))
}

func readSplit(m settings) (s splitPattern, err error) {
	if s.pattern, err = readPattern(m); err != nil {
		return s, err
	}
	if s.behavior, err = getEnum(m, "behavior", behaviorNames()); err != nil {
		return s, err
	}
	s.inverted, err = get(m, "invert", aBool)
	return s, err
}

// readByteLevel reads a pre-tokenizer. Files of 2020 lack use_regex.
func readByteLevel(m settings) (preTokenizer, error) {
	prefix, err := get(m, "add_prefix_space", aBool)
	if err != nil {
		return nil, err
	}
	words, err := get(m, "use_regex", aBool, true)
	if err != nil {
		return nil, err
	}
	return newByteLevel(prefix, words)
}

// readMetaspace reads add_prefix_space of older files, prepend_scheme of newer ones, and
// both, as those of late 2023 have them.
func readMetaspace(m settings) (s metaspace, err error) {
	if s.replacement, err = get(m, "replacement", aRune); err != nil {
		return s, err
	}
	if s.scheme, err = getEnum(m, "prepend_scheme", schemeNames(), prependAlways); err != nil {
		return s, err
	}
	prefix, err := get(m, "add_prefix_space", aBool, true)
	if err != nil {
		return s, err
	}
	if !prefix {
		if m.has("prepend_scheme") && s.scheme != prependNever {
			return s, errors.New("add_prefix_space is false, and prepend_scheme is not never")
		}
		s.scheme = prependNever
	}
	cut, err := get(m, "split", aBool, true)
	s.whole = !cut
	return s, err
}

func readDecoder(m settings, l *limits) (decoder, error) {
	kind, err := typeOf(m)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		all, err := readSequence(m, "decoders", l, readDecoder)
		return decoders(all), err
	case "ByteLevel":
		return decodeBytes{}, nil
	case "ByteFallback":
		return decodeFallback{}, nil
	case "Fuse":
		return decodeFuse{}, nil
	case "Metaspace":
		s, err := readMetaspace(m)
		return decodeMetaspace{s.replacement, s.scheme != prependNever}, err
	case "BPEDecoder":
		suffix, err := get(m, "suffix", aString)
		return decodeSuffix(suffix), err
	case "Replace":
		n, err := readReplace(m)
		return decodeReplace{n}, err
	case "WordPiece":
		var d decodeWordPiece
		if d.prefix, err = get(m, "prefix", aString); err == nil {
			d.cleanup, err = get(m, "cleanup", aBool)
		}
		return d, err
	case "Strip":
		return readDecodeStrip(m)
	case "CTC":
		return readCTC(m)
	}
	return nil, notSupported(fmt.Sprintf("type %.40q", kind))
}

func readDecodeStrip(m settings) (d decodeStrip, err error) {
	var start, stop int32
	if d.content, err = get(m, "content", aRune); err == nil {
		start, err = get(m, "start", aNumber)
	}
	if err == nil {
		stop, err = get(m, "stop", aNumber)
	}
	d.start, d.stop = int(start), int(stop)
	return d, err
}

func readCTC(m settings) (d decodeCTC, err error) {
	if d.pad, err = get(m, "pad_token", aString); err == nil {
		d.delimiter, err = get(m, "word_delimiter_token", aString)
	}
	if err == nil {
		d.cleanup, err = get(m, "cleanup", aBool)
	}
	return d, err
}
