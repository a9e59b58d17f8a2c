package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// sweepInput is the text of every code point c in the sweeps.
const sweepInput = "a<c>b"

// blocks are the code points of a sweep, by what its file says of them: of every two
// blocks of 128 the first.
func blocks(text string) (points []rune, err error) {
	type span struct{ from, to rune }
	var spans []span
	switch text {
	case "code points c < 0x20000, 0x2f800-0x2fa1f, 0xe0000-0xe01ef with c/128 even, of Hangul syllables every c % 19 == 0":
		spans = []span{{0, 0xabff}, {0xd7a4, 0xd7ff}, {0xe000, 0x1ffff}, {0x2f800, 0x2fa1f}, {0xe0000, 0xe01ef}}
		for c := rune(0xac00); c <= 0xd7a3; c++ {
			if c%19 == 0 && c/128%2 == 0 {
				points = append(points, c)
			}
		}
	case "c < 0x20000 with c/128 even":
		spans = []span{{0, 0xd7ff}, {0xe000, 0x1ffff}}
	default:
		return nil, fmt.Errorf("blocks %q are not known", text)
	}
	for _, s := range spans {
		for c := s.from; c <= s.to; c++ {
			if c/128%2 == 0 {
				points = append(points, c)
			}
		}
	}
	return points, nil
}

// sweep runs a normalizer over code points, of which those that it changes are stored:
// what stands between a and b, or where these are changed too the whole.
func (c *components) sweep(r *report, line []byte) error {
	var l struct {
		Normalizer, Blocks, Input string
		Changed                   map[string]string // by hexadecimal number
	}
	if err := strict(line, &l); err != nil {
		return err
	}
	points, err := blocks(l.Blocks)
	if err != nil {
		return err
	}
	if l.Input != sweepInput {
		return fmt.Errorf("the input is %q, want %q", l.Input, sweepInput)
	}
	config := map[string]any{"type": l.Normalizer}
	switch kind, cased := strings.CutSuffix(l.Normalizer, " cased"); {
	case l.Normalizer == "Precompiled":
		config["precompiled_charsmap"] = "@charsmap"
	case kind == "BertNormalizer":
		config = map[string]any{"type": kind, "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": !cased}
	}
	raw, err := json.Marshal(config)
	if err == nil {
		raw, err = c.config(raw)
	}
	if err != nil {
		return err
	}
	normalize, err := normalizer(raw)
	if err != nil {
		return err
	}
	compareSweep(r, points, normalize, l.Changed)
	return nil
}

func compareSweep(r *report, points []rune, normalize func(string) string, changed map[string]string) {
	var got, want []string
	for _, p := range points {
		in := "a" + string(p) + "b"
		out := normalize(in)
		inner := out
		if strings.HasPrefix(out, "a") && strings.HasSuffix(out, "b") && len(out) >= 2 {
			inner = out[1 : len(out)-1]
		}
		key := strconv.FormatInt(int64(p), 16)
		w, ok := changed[key]
		if !ok {
			inner, w = out, in
		}
		got, want = append(got, key+" "+inner), append(want, key+" "+w)
	}
	same(r, "outputs", got, want)
}

// splits runs a pre-tokenizer over code points: most give the default spans.
func (c *components) splits(r *report, line []byte) error {
	type spans = [][2]int
	var l struct {
		PreTokenizer  string `json:"pre_tokenizer"`
		Blocks, Input string
		Default       spans `json:"default_spans"`
		Other         []struct {
			Spans  spans
			Points [][2]rune `json:"code_points"` // from, to
		} `json:"other_spans"`
	}
	if err := strict(line, &l); err != nil {
		return err
	}
	points, err := blocks(l.Blocks)
	if err != nil {
		return err
	}
	config := map[string]any{"type": l.PreTokenizer}
	switch l.PreTokenizer {
	case "Punctuation":
		config["behavior"] = "Isolated"
	case "Digits":
		config["individual_digits"] = false
	case "ByteLevel":
		config = map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return err
	}
	split, err := splitter(raw)
	if err != nil {
		return err
	}
	expected := make(map[rune]spans)
	for _, o := range l.Other {
		for _, p := range o.Points {
			for q := p[0]; q <= p[1]; q++ {
				expected[q] = o.Spans
			}
		}
	}
	var got, want []string
	for _, p := range points {
		var s spans
		for _, piece := range split("a" + string(p) + "b") {
			s = append(s, [2]int{piece.from, piece.to})
		}
		w, ok := expected[p]
		if !ok {
			w = l.Default
		}
		got, want = append(got, fmt.Sprintf("%x %v", p, s)), append(want, fmt.Sprintf("%x %v", p, w))
	}
	same(r, "spans", got, want)
	return nil
}
