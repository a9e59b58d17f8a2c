package tokenizer

import (
	"slices"
	"testing"
)

// TestGraphemes: every rule of UAX #29, and where Rust's unicode-segmentation stops.
func TestGraphemes(t *testing.T) {
	for _, want := range [][]string{
		{"a", "b"},
		{"\r\n", "\n", "\r", "\t", "a"},
		{"e\u0301\u0327", "\u0000", "\u0300"},
		{"\u1100\u1161\u11a8\u11a8", "\u1100\u1161"},
		{"각ᆨ", "가"},
		{"\u0e01\u0e33", "\u0e01\u0903"},
		{"\u0600a", "\u0600", "\n"},
		{"\u0915\u094d\u0937", "\u0915", "\u0937"},
		{"\u0915\u094d\u200c", "\u0937"},
		{"\u0915\u094d\u200d\u0937\u094d\u0930"},
		{"\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468"},
		{"\U0001f468\u0301\u200d\u00a9"},
		{"\U0001f468\u200d\u200d", "\U0001f469"},
		{"a\u200d", "\U0001f469"},
		{"\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7", "\U0001f1ee"},
		{"\u2764\ufe0f", "\U0001f44d\U0001f3fd"},
	} {
		var all []byte
		for _, s := range want {
			all = append(all, s...)
		}
		var got []string
		for b := all; len(b) > 0; {
			n := graphemeSize(b)
			got, b = append(got, string(b[:n])), b[n:]
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %+q, want %+q", got, want)
		}
	}
}
