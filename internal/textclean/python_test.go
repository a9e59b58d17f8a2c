package textclean

import (
	"html"
	"strings"
	"testing"
	"unicode/utf8"
)

func check(t *testing.T, name string, f func(string) string, cases [][2]string) {
	t.Helper()
	for _, c := range cases {
		if got := f(c[0]); got != c[1] {
			t.Errorf("%s(%+q)\n got %+q\nwant %+q", name, c[0], got, c[1])
		}
	}
}

func TestUnescapeHTML(t *testing.T) {
	check(t, "UnescapeHTML", UnescapeHTML, [][2]string{
		{"&amp;amp;", "&amp;"},
		{"fish &amp chips", "fish & chips"},
		{"&notanentity; &notin; &notit;", "¬anentity; ∉ ¬it;"},
		{"AT&T Q&A & &; &", "AT&T Q&A & &; &"},
		{"&AMP&lt&GT;", "&<>"},
		{"&nGt;&nLt;&semi;", "≫\u20d2≪\u20d2;"},
		{"&CounterClockwiseContourIntegral;", "∳"},
		{"&#0;&#xD800;&#1114112;&#99999999999999999999;", "\ufffd\ufffd\ufffd\ufffd"},
		{"&#128;&#x81;&#13;&#10;", "€\u0081\r\n"},
		{"a&#1;&#11;&#127;&#xfdd0;&#xffff;&#x10FFFF;b", "ab"},
		{"&#65&#x42 &#X43;&#;&#x;&#xg;", "AB C&#;&#x;&#xg;"},
		{"&eacute\u00e9&copy=1", "éé©=1"},
	})
}

func TestCollapseSpace(t *testing.T) {
	check(t, "CollapseSpace", CollapseSpace, [][2]string{
		{"", ""}, {" ", ""}, {"a", "a"}, {" a", "a"}, {"a ", "a"}, {"a b", "a b"},
		{"\ta \n\v\f\r b\u00a0\u2003\u3000c\x1c", "a b c"},
		{"a\u200bb\u180ec", "a\u200bb\u180ec"},
	})
}

func TestLower(t *testing.T) {
	check(t, "Lower", Lower, [][2]string{
		{"McDonald ÀÉ ДА", "mcdonald àé да"},
		{"İstanbul IĞDIR", "i\u0307stanbul iğdir"},
		{"ẞ ǅ Ⅷ Ⓐ", "ß ǆ ⅷ ⓐ"},
		{"ΣΑΣ ΌΣΟΣ", "σας όσος"},
		{"Σ ΑΣ. ΑΣ.Β ΑΣ1 'Σ Α'Σ' Α\u0301Σ\u0301 ΑΣ\u0301Α", "σ ας. ασ.β ας1 'σ α'ς' α\u0301ς\u0301 ασ\u0301α"},
	})
}

func TestValid(t *testing.T) {
	check(t, "Valid", Valid, [][2]string{
		{"café", "café"},
		{"\xff\xfe", "\ufffd\ufffd"},
		{"a\xe2\x82", "a\ufffd"},
		{"\xe2\x82a", "\ufffda"},
		{"\xf0\x9f\x98\xf0\x9f\x98\x80", "\ufffd😀"},
		{"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		{"\xc0\x80\xe0\x80\x80\xf4\x90\x80\x80", strings.Repeat("\ufffd", 9)},
		{"\xc3\xc3\xa9", "\ufffdé"},
	})
}

func FuzzUnescapeHTML(f *testing.F) {
	for _, s := range []string{"&amp;", "&#65;", "&#xD800", "&notit;", "&nGt;", "&&#", "a&b;c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = Valid(s)
		got := UnescapeHTML(s)
		if !utf8.ValidString(got) {
			t.Errorf("UnescapeHTML(%+q) = %+q, not valid UTF-8", s, got)
		}
		if escaped := html.EscapeString(s); UnescapeHTML(escaped) != s {
			t.Errorf("UnescapeHTML(%+q) = %+q, want %+q", escaped, UnescapeHTML(escaped), s)
		}
	})
}
