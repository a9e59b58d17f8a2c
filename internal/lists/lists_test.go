package lists

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// TestWords: the forms in which one label is written have the same words, and other labels
// have not.
func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		"golden_retriever": "golden retriever", " golden  retriever\t": "golden retriever", "__golden__retriever_": "golden retriever",
		"cafe\u0301": "caf\u00e9", "tench,Tinca tinca": "tench, Tinca tinca", "tench , Tinca_tinca": "tench, Tinca tinca", "1,000 islands": "1,000 islands",
		"7": "7", "_": "_", "": "", "x,": "x,", "half\u00a0dome": "half dome", "Red": "Red", "t-shirt": "t-shirt",
	} {
		if got := Words(in); got != want || Words(got) != got {
			t.Errorf("%q: got %q, and of that %q; want %q", in, got, Words(got), want)
		}
	}
	if Key("a_b", true) != "a_b" || Key("a_b", false) != "a b" {
		t.Error("a verbatim label is not as it is written")
	}
}

func wide(text string, order binary.AppendByteOrder, mark bool) string {
	var b []byte
	if mark {
		text = "\ufeff" + text
	}
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// TestNames: a list is read alike whatever wrote it.
func TestNames(t *testing.T) {
	const want = `red circle[],blue square[]`
	for _, text := range []string{
		"red circle\nblue square", "red circle\r\nblue square\r\n", "red circle\rblue square\r", "\ufeffred circle\n\n  blue square  \n",
		wide("red circle\nblue square\n", binary.LittleEndian, true), wide("red circle\r\nblue square\r\n", binary.BigEndian, true),
		wide("red circle\nblue square\n", binary.LittleEndian, false), wide("red circle\nblue square\n", binary.BigEndian, false),
		"# my classes\nred circle\n# and\nblue square", "\"red circle\"\n'blue square'\n", "\"red circle\", \"blue square\"", "'red circle',\n'blue square',\n",
		`["red circle", "blue square"]`, "[\"red circle\",\n\"blue square\"]\n", "[\n  'red circle', # one\n  'blue square',\n]\n", "classes = [\n'red circle',\n'blue square']\n",
		"- red circle\n- blue square\n", "names:\n  - \"red circle\"\n  - blue square\n", "red circle,\nblue square,\n", "red circle,\nblue square\n", "('red circle', 'blue square')",
		`{"shapes": ["red circle", "blue square"]}`, "label\tcount\nred circle\t4\nblue square\t3\n", "count|class\n3|red circle\n5|blue square\n", `[{"name": "red circle"}, {"name": "blue square"}]`,
	} {
		if got := said(Names(strings.NewReader(text), false)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"0: red circle\n1: blue square\n":     "red circle[0 0: red circle],blue square[1 1: blue square]",
		"1. red\n2. blue\n":                   "red[1 1. red],blue[2 2. blue]",
		"0 red\n1 blue\n":                     "red[0 0 red],blue[1 1 blue]",
		"names:\n  0: person\n  1: bicycle\n": "person[0 0: person],bicycle[1 1: bicycle]",
		"001.ak47\n002.flag\n":                "ak47[001 001.ak47],flag[002 002.flag]",
		"7 up\n1 euro\n":                      "7 up[],1 euro[]",
		"0\n1\n2\n":                           "0[],1[],2[]",
		"n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n": "tench, Tinca tinca[n01440764],goldfish, Carassius auratus[n01443537]",
		"n01440764\ttench\n":                                                   "tench[n01440764]",
		"n01440764\nn01443537\n":                                               "n01440764[],n01443537[]",
		"/m/011k07,Tortoise\n/m/011q46kg,Container\n":                          "Tortoise[/m/011k07],Container[/m/011q46kg]",
		`{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}`:        "tench[0 n01440764],goldfish[1 n01443537]",
		`{"10": "k", "2": "c", "0": "a"}`:                                      "a[0],c[2],k[10]",
		`{"dog": 1, "cat": 0}`:                                                 "cat[0],dog[1]",
		`{"n01440764": "tench"}`:                                               "tench[n01440764]",
		"{0: 'tench, Tinca tinca',\n 1: 'goldfish',\n 2: \"jack-o'-lantern\"}": "tench, Tinca tinca[0],goldfish[1],jack-o'-lantern[2]",
		`[{"supercategory": "person", "id": 1, "name": "person"}]`:             "person[1]",
		`[0, 1]`:                                       "0[],1[]",
		"index,name\n0,\"tench, Tinca\"":               "tench, Tinca[0]",
		"missile\nrocket\nmissile\n":                   "missile[],rocket[],missile[]",
		"\"say \"\"hi\"\"\"\n'#1'\n'a\\'s'\n\"[x]\"\n": "say \"hi\"[],#1[],a's[],[x][]",
		"crane (bird)\n14\"\nc++\nC#\n$\n犬\nt-shirt\n": "crane (bird)[],14\"[],c++[],C#[],$[],犬[],t-shirt[]",
		"label\n\n": "label[]",
	} {
		if got := said(Names(strings.NewReader(text), false)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := said(Names(strings.NewReader("label\nred circle\nblue square\n"), true)); got != want {
		t.Errorf("a table of one column: got %s, want %s", got, want)
	}
}

func said(names []Name, err error) string {
	if err != nil {
		return "error " + err.Error()
	}
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprint(n.Name, n.IDs))
	}
	return strings.Join(out, ",")
}

// TestNoLabels: what is no list of labels is refused, with its line.
func TestNoLabels(t *testing.T) {
	for text, want := range map[string]string{
		"": "no labels", "# nothing\n": "no labels", " \n": "no labels", "[]": "no labels",
		"cat\n]\n": "line 2", "cat\n{\n": "never closed", "import torch\nx = 3\n": "line 2", "cat\nbird,\ndog\n": "line 2", "cat\n- dog\n": "line 2",
		"cat\ndog # a comment\n": "line 2", "cat\tfeline\ndog\tcanine\n": "line 1", "cat|dog\n": "line 1", "\"Weird Al\" Yankovic\n": "line 1", "cat\n\"dog\n": "line 2",
		"cat\nnames:\n": "line 2", "[\"cat\", dog]\n": "line 1", "['cat'\n": "never closed", "cat, dog, bird\n": "one line with commas", "<html>\n": "line 1",
		"a \xff": "not valid UTF-8", "\x7fELF\x00\x01\n": "control character", `{"a": {"b": 1}}`: `entry "a"`, `{"a": 1, "a": 2}`: "twice", `{"a": ["x"], "b": ["y"]}`: `entry "a"`,
		"label,n\ncat\n": "wrong number of fields", "cat\n---\ndog\n": "line 2", "path: ../coco\nnames:\n  0: person\n": "line 1", "['a', '']": "line 1", "(cat\n": "line 1",
		"['cat',\n'dog']\nprint(1)\n": "line 3", "cat\nplt.show()\n": "line 2",
	} {
		if _, err := Names(strings.NewReader(text), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
	if _, err := Names(nil, false); err == nil {
		t.Error("no reader, and no error")
	}
	if _, err := Names(io.LimitReader(endless{}, 1<<40), false); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("an endless file: got error %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "ab \n"[i%4]
	}
	return len(p), nil
}

// TestTemplates: one or several a line, in all ways that people write them.
func TestTemplates(t *testing.T) {
	const want = "a photo of a {}.|a drawing of a {}."
	for _, text := range []string{
		"a photo of a {}.\na drawing of a {}.\n", "'a photo of a {}.', 'a drawing of a {}.',\n", "'a photo of a {}.',\n'a drawing of a {}.',\n",
		"a photo of a {}.|a drawing of a {}.", "a photo of a {}. ; a drawing of a {}.", "a photo of a {}.\ta drawing of a {}.", "\ufeff[\"a photo of a {}.\", \"a drawing of a {}.\"]",
		"a photo of a {c}.\na drawing of a {c}.\n", "{\"imagenet1k\": [\"a photo of a {c}.\", \"a drawing of a {c}.\"]}", "templates = (\n lambda c: f'a photo of a {c}.',\n lambda c: f'a drawing of a {c}.',\n)\n",
		wide("a photo of a {}.\r\na drawing of a {}.\r\n", binary.LittleEndian, true), "# two\n[\n'a photo of a {}.',\n]\n\na drawing of a {}.\n",
	} {
		got, err := Templates(strings.NewReader(text))
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%q: got %q, error %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{ // not several
		"a {}, and another {}": "error", "a {}; beautiful": "a {}; beautiful", "'a {}, and another {}'": "a {}, and another {}", "a {} | photo": "a {} | photo",
		"{}, seen from above": "{}, seen from above", "{}": "{}", "a {} beside {c}": "a {} beside {c}", "a photo": "error", "['a photo']": "error", "": "error", "\"a {}": "error",
	} {
		got, err := Templates(strings.NewReader(text))
		if (err != nil) != (want == "error") || err == nil && (len(got) != 1 || got[0] != want) {
			t.Errorf("%q: got %q, error %v; want %s", text, got, err, want)
		}
	}
}

// FuzzNames: whatever is accepted is names with words, whatever is not has an error.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"0: a\n1: b\n", `{"a": 1}`, "['a',\n'b']", "label,id\na,1\n", "- a\n", "\xff\xfea\x00\n\x00", "n01440764 x"} {
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, table bool) {
		names, err := Names(strings.NewReader(text), table)
		if err == nil && len(names) == 0 {
			t.Error("no names and no error")
		}
		for _, n := range names {
			if strings.TrimSpace(n.Name) == "" || !utf8.ValidString(n.Name) || Words(Words(n.Name)) != Words(n.Name) {
				t.Errorf("name %q", n.Name)
			}
		}
	})
}

// FuzzTemplates: whatever is accepted takes a label.
func FuzzTemplates(f *testing.F) {
	f.Add("a {}\n'b {}',\n# c\n")
	f.Add("lambda c: f'a {c}',")
	f.Fuzz(func(t *testing.T, text string) {
		templates, err := Templates(strings.NewReader(text))
		if err == nil && len(templates) == 0 {
			t.Error("no templates and no error")
		}
		for _, template := range templates {
			if !strings.Contains(template, "{}") {
				t.Errorf("template %q", template)
			}
		}
	})
}
