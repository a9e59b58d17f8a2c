package textclean

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/goclip/goclip/internal/golden"
)

// The expected texts are ftfy 6.3.1's.
var fixCases = map[string][][2]string{
	"charsets": {
		{"cafÃ©", "café"},
		{"donâ€™t", "don't"},
		{"ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Привет"},
		{"РџСЂРёРІРµС‚", "Привет"},
		{"Ĺ‚ĂłdĹş", "łódź"},
		{"Î±Î½Î±", "ανα"},
		{"aÅŸk ÅŸarkÄ±", "aşk şarkı"},
		{"ā€œtextā€¯", "ā€œtext\""},
		{"caf├⌐", "café"},
		{"fa√ßade", "façade"},
	},
	"layers": {
		{"sch√É¬∂n", "schön"},
		{"cafÃƒÂ©", "café"},
		{"&Atilde;&copy;t&Atilde;&copy;", "été"},
	},
	"lost no-break spaces": {
		{"voilÃ  le travail", "voilà le travail"},
		{"Ã  la mode", "à la mode"},
		{"Ã s vezes", "às vezes"},
		{"Ã quele dia", "àquele dia"},
		{"\u00c3\u00a0 moi", "à moi"},
	},
	"lost bytes": {
		{"\u00e2\u20ac\u0153quoted\u00e2\u20ac\ufffd text", "\"quoted\ufffd text"},
		{"cafÃ? ouvert", "cafÃ? ouvert"},
		{"ï¿½", "\ufffd"},
	},
	"parts": {
		{"naïve cafÃ© → «ok»", "naïve café → «ok»"},
		{"日本 schÃ¶n", "日本 schön"},
	},
	"C1 controls": {
		{"a\u0085b\u0080c", "a…b€c"},
		{"50\u0080 caf\u00e9", "50€ café"},
	},
	"variants of UTF-8": {
		{"\u00ed\u00a0\u00bd\u00ed\u00b2\u00a9", "💩"},
		{"\u00c0\u0080\u00c3\u00a9", "é"},
		{"\u00c3\u00a9\u00c0\n", "é"},
	},
	"not mojibake": {
		{"Ångström à la carte", "Ångström à la carte"},
		{"ÀÉÎ", "ÀÉÎ"},
		{"50°C ±2", "50°C ±2"},
		{"«oui»", "«oui»"},
		{"Straße", "Straße"},
		{"Ã", "Ã"},
		{"кошка", "кошка"},
	},
	"mojibake of one character": {
		{"Â£ is bad", "£ is bad"},
		{"10×²", "10ײ"},
	},
	"plain characters": {
		{"“a” ‘b’", "\"a\" 'b'"},
		{"ﬁ ﬄ ĳ ŉ", "fi ffl ij 'n"},
		{"\uff26\uff55\uff4c\uff4c\u3000\uff11", "Full 1"},
		{"ｶﾞｷﾞ", "ガギ"},
		{"a\r\nb\rc\u2028d", "a\nb\nc\nd"},
		{"\u001b[36;44mblue\u001b[0m", "blue"},
		{"\ufeffa\u0000b\u007fc\u206ad\ufffc", "abcd"},
		{"e\u0301", "é"},
	},
	"entities": {
		{"&eacute;", "é"},
		{"P&EACUTE;REZ", "PÉREZ"},
		{"&SZLIG;", "SS"},
		{"&FFILIG;", "FFI"},
		{"&NAPOS;", "'N"},
		{"&nLt;", "≪\u20d2"},
		{"&copy 1", "&copy 1"},
		{"&lt;b&gt; &amp;amp;", "<b> &"},
		{"<b> &amp;", "<b> &amp;"},
		{"&#233;&#xe9;", "éé"},
		{"&#59; &#1;", "&#59; "},
		{"&notanentity;", "&notanentity;"},
		{"a &amp;lt;\n<p>\n&eacute;", "a <\n<p>\n&eacute;"},
	},
}

func TestFix(t *testing.T) {
	for name, cases := range fixCases {
		t.Run(name, func(t *testing.T) {
			for _, c := range cases {
				if got := Fix(c[0]); got != c[1] {
					t.Errorf("Fix(%+q)\n got %+q\nwant %+q", c[0], got, c[1])
				}
			}
		})
	}
}

func TestCleanGolden(t *testing.T) {
	f, err := os.Open(golden.Fixtures(t, "tokenizer", "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	count := 0
	for lines := bufio.NewScanner(f); lines.Scan(); count++ {
		var c struct{ Text, Clean string }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if got := Lower(CollapseSpace(UnescapeHTML(UnescapeHTML(Fix(c.Text))))); got != c.Clean {
			t.Errorf("%+q\n got %+q\nwant %+q", c.Text, got, c.Clean)
		}
	}
	if count == 0 {
		t.Error("no cases")
	}
}

// Text whose UTF-8 was read in one of the charsets comes back whole, if it is
// recognised as mojibake at all.
func TestFixRestoresCharsets(t *testing.T) {
	recognised := 0
	for _, text := range []string{"déjà vu à Zürich", "Привет, мир", "日本語のテキスト", "a 🐶 and a 🐱"} {
		for i := range charsets {
			var b strings.Builder
			for _, c := range []byte(text) {
				if c < utf8.RuneSelf {
					b.WriteByte(c)
				} else {
					b.WriteRune(charsets[i].decode(c))
				}
			}
			if !isBad(b.String()) {
				continue
			}
			recognised++
			if got := Fix(b.String()); got != text {
				t.Errorf("charset %d: Fix(%+q)\n got %+q\nwant %+q", i, b.String(), got, text)
			}
		}
	}
	if recognised < 30 {
		t.Errorf("%d of 40 texts are recognised, want 30", recognised)
	}
}

func TestCharsetRoundTrip(t *testing.T) {
	for i := range charsets {
		seen := map[rune]bool{}
		for b := 0x80; b < 0x100; b++ {
			r := charsets[i].decode(byte(b))
			if got, ok := charsets[i].encodeRune(r); !ok || got != byte(b) || seen[r] {
				t.Errorf("charset %d: byte %#x is %U, and that is %#x (%v)", i, b, r, got, ok)
			}
			seen[r] = true
		}
		b, ok := charsets[i].encodeRune(utf8.RuneError)
		if ok != charsets[i].sloppy || ok && b != substitute {
			t.Errorf("charset %d encodes U+FFFD as %#x (%v)", i, b, ok)
		}
	}
}

// Crafted texts come to an end soon, whatever their length; the reference needs
// a time that grows with its square for some of them.
func TestFixEnds(t *testing.T) {
	n := 1 << 18
	if testing.Short() {
		n >>= 4
	}
	for _, piece := range []string{"amp;", "Ã ", "\u0301", "\u0344", "â€", "\x1b[", "\x1b[;", "&#x", "\xff", "\r", "Σ'", "Â", "ÃƒÂ", "Ã©À", "À\n", "<", "&lt;\n"} {
		s := "&" + strings.Repeat(piece, n/len(piece))
		if got := Lower(CollapseSpace(UnescapeHTML(Fix(s)))); !utf8.ValidString(got) {
			t.Errorf("%+q, repeated: not valid UTF-8", piece)
		}
	}
}

// A long line is repaired in segments, as the reference does: the mojibake that
// a boundary cuts in two remains.
func TestFixSegments(t *testing.T) {
	s := strings.Repeat("a", segmentLength-1) + "Ã©" + " cafÃ©"
	want := strings.Repeat("a", segmentLength-1) + "Ã" + "© café"
	if got := Fix(s); got != want {
		t.Errorf("the end is %+q, want %+q", got[segmentLength-1:], want[segmentLength-1:])
	}
}

func TestNFC(t *testing.T) {
	texts := []string{
		"e\u0301\u0302\u0303", "q\u0307\u0323", "\u0301", "\u1100\u1161\u11a8", "가\u11a8", "\u212b\u2126",
		"\u0344\u0344\u0344", "\u1e9b\u0323", "a\u0315\u0300\u05ae\u0300", "\u0958", "\U0001d15f", "\u0b47\u0300\u0b3e",
	}
	for _, s := range texts {
		if got, want := compose(decompose(s)), norm.NFC.String(s); got != want {
			t.Errorf("compose(decompose(%+q)) = %+q, want %+q", s, got, want)
		}
	}
	// Letters of 4 bytes that end in the 16 bits of A and of a Bengali vowel, and
	// some that do have composites.
	for s, want := range map[string]string{
		"\U000e0041\u0301":              "\U000e0041\u0301",
		"\u00c1\U00020041\u0323\u0301A": "\u00c1\U00020041\u0323\u0301A",
		"\U000109c7\u09be\u0301":        "\U000109c7\u09be\u0301",
		"\U00011099\U000110ba":          "\U0001109a",
		"\U00011347\u0300\U0001133e":    "\U00011347\u0300\U0001133e",
		"\U00011347\U0001133e\u0300":    "\U0001134b\u0300",
		"\U0001f600\u0301e\u0301":       "\U0001f600\u0301\u00e9",
	} {
		if got := NFC(s); got != want {
			t.Errorf("NFC(%+q) = %+q, want %+q", s, got, want)
		}
	}
	long := strings.Repeat("\u0301\u0323", 30)
	want := "\u1ecd" + strings.Repeat("\u0323", 29) + strings.Repeat("\u0301", 30)
	if got := NFC("o" + long); got != want {
		t.Errorf("NFC of a long run\n got %+q\nwant %+q", got, want)
	}
}

func FuzzFix(f *testing.F) {
	for _, cases := range fixCases {
		for _, c := range cases {
			f.Add(c[0])
		}
	}
	f.Add("\xed\xa0\xbd\xff\xe2\x82")
	f.Fuzz(func(t *testing.T, s string) {
		got := Fix(s)
		if !utf8.ValidString(got) {
			t.Errorf("Fix(%+q) = %+q, not valid UTF-8", s, got)
		}
		for _, r := range got {
			if r == '\r' || r == '\u2028' || r == 0 || r == '“' || 0x80 <= r && r <= 0x9f && windows1252(r) != r {
				t.Errorf("Fix(%+q) = %+q, with %U", s, got, r)
			}
		}
		if strings.Contains(s, "\n") || strings.Contains(got, "\n") || len(s) > 1<<12 {
			return
		}
		if again := Fix(got); again != got {
			t.Errorf("Fix(%+q)\n   = %+q, which it turns into\n     %+q", s, got, again)
		}
	})
}
