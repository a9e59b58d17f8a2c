package hub_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goclip/goclip/hub"
)

func TestLicenses(t *testing.T) {
	for card, want := range map[string]string{
		"":                               "not stated",
		"# A model\nlicense: mit":        "not stated",
		"---\nlicense: mit\n---\n":       "mit",
		"---\r\nlicense: mit\r\n---\r\n": "mit",
		"\ufeff---\nlicense: \"cc-by-nc-4.0\" # no trade\n---\n":                                                                "cc-by-nc-4.0",
		"---\ntags:\n- clip\nlicense: other\nlicense_name: apple-amlr\nlicense_link: LICENSE\nbase_model:\n  license: mit\n---": "apple-amlr (LICENSE)",
		"---\nlicense:\n- mit\n- apache-2.0\nlanguage: en\n---":                                                                 "mit, apache-2.0",
		"---\nlicense: [mit, apache-2.0]\n---":                                                                                  "mit, apache-2.0",
		"---\nlicense: other\nlicense_link: https://example.com/x\n---":                                                         "other (https://example.com/x)",
		"---\nwidget:\n  license: mit\n---":                                                                                     "not stated",
		"---\ntags: [a\n---":                                                                                                    "not stated",
		"---\nlicense: \"a\\eb\\u202ec\"\n---":                                                                                  "abc",
		"---\n---\nlicense: mit":                                                                                                "not stated",
	} {
		if got := hub.ParseLicense(card).String(); got != want {
			t.Errorf("%q: got %q, want %q", card, got, want)
		}
	}
}

func FuzzLicense(f *testing.F) {
	f.Add("---\nlicense: [mit, &a b, *a]\nlicense_name: {x: y}\n---")
	f.Add("---\nlicense: " + strings.Repeat("[", 3000))
	f.Fuzz(func(t *testing.T, card string) {
		l := hub.ParseLicense(card)
		for _, text := range []string{l.ID, l.Name, l.Link} {
			if len(text) > 200 || strings.ContainsAny(text, "\x1b\n\r\x00") {
				t.Errorf("%q is no line for a terminal", text)
			}
			_ = utf8.ValidString(text)
		}
	})
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"` + commit + `","siblings":[{"rfilename":"../x","size":-1,"lfs":{"sha256":"zz","size":1}}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) { _ = hub.ParseListing(text) })
}

func FuzzShards(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"../c"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		files, err := hub.ParseShards("x/model.safetensors.index.json", text)
		for _, name := range files {
			if err == nil && (!hub.PlainName(name) || !strings.HasPrefix(name, "x/")) {
				t.Errorf("%q may become a path", name)
			}
		}
	})
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 5-9/10")
	f.Fuzz(func(t *testing.T, text string) {
		if from, total, ok := hub.ContentRange(text); ok && (from < 0 || from > total) {
			t.Errorf("%q: %d of %d", text, from, total)
		}
	})
}
