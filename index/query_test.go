package index_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/index"
)

func words(s string) index.Part { return index.Part{Weight: 1, Text: s} }

// TestQueries: what people write, and what they mean by it.
func TestQueries(t *testing.T) {
	for query, want := range map[string][]index.Part{
		"a dog on a beach":               {words("a dog on a beach")},
		"  a  dog\ton\na beach ":         {words("a dog on a beach")},
		"beach -people":                  {words("beach"), {-1, index.Words, "people"}},
		"beach −people":                  {words("beach"), {-1, index.Words, "people"}},
		"beach − people at night":        {words("beach at night"), {-1, index.Words, "people"}},
		"beach -people at night":         {words("beach at night"), {-1, index.Words, "people"}},
		"-people":                        {{-1, index.Words, "people"}},
		`beach -"a crowd of people"`:     {words("beach"), {-1, index.Words, "a crowd of people"}},
		"2*dog 0.5*\"in the snow\"":      {{2, index.Words, "dog"}, {0.5, index.Words, "in the snow"}},
		"dog -0.5*cat":                   {words("dog"), {-0.5, index.Words, "cat"}},
		`like:2024/1.jpg +"at night"`:    {{1, index.Like, "2024/1.jpg"}, {1, index.Words, "at night"}},
		`image:"my dog.jpg" -grass`:      {{1, index.File, "my dog.jpg"}, {-1, index.Words, "grass"}},
		`-like:"a b"`:                    {{-1, index.Like, "a b"}},
		`+"say \"hi\" \\ bye"`:           {{1, index.Words, `say "hi" \ bye`}},
		`"beach -people"`:                {words("beach -people")},
		"черепаха −люди":                 {words("черепаха"), {-1, index.Words, "люди"}},
		"a black-and-white photograph":   {words("a black-and-white photograph")},
		"sunset - 5 pm":                  {words("sunset - 5 pm")},
		`a sign that says "stop"`:        {words(`a sign that says "stop"`)},
		"5 * 3":                          {words("5 * 3")},
		"2* dog":                         {words("2* dog")},
		"*dog":                           {words("*dog")},
		"--help":                         {words("--help")},
		"a like: of an image: somewhere": {words("a like: of an image: somewhere")},
		"C++ + -":                        {words("C++ + -")},
		"0*dog 1e3*dog":                  {words("0*dog 1e3*dog")},
		"−":                              {words("−")},
	} {
		got, err := index.ParseQuery(query)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %+v, %v, want %+v", query, got, err, want)
		}
	}
	for query, want := range map[string]string{
		"":                          "empty",
		" \t":                       "empty",
		`beach -"people`:            `the quote before "people" is never closed`,
		`beach -"people"s`:          `"s" follows a quote`,
		`beach -""`:                 "nothing is between the quotes",
		"\xff":                      "not valid UTF-8",
		strings.Repeat("-a ", 1000): "more than 64 parts",
	} {
		_, err := index.ParseQuery(query)
		fails(t, want, err)
	}
}

// FuzzParseQuery: whatever is written, its parts mean something, and written out they are the same.
func FuzzParseQuery(f *testing.F) {
	for _, q := range []string{"beach −people", `2*dog -0.5*"a \"b\" \\"`, `like:a image:"b c"`, "−", "+", "--a", "5*", `"`, "− − a", "9.9.9*a"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		parts, err := index.ParseQuery(query)
		if err != nil {
			return
		}
		again := make([]string, len(parts))
		for i, p := range parts {
			if p.Weight == 0 || p.Text == "" || p.Kind > index.File {
				t.Errorf("%q has the part %+v", query, p)
			}
			again[i] = p.String()
		}
		if got, err := index.ParseQuery(strings.Join(again, " ")); err != nil || !slices.Equal(got, parts) {
			t.Errorf("%q is %+v, and written out %s is %+v, %v", query, parts, fmt.Sprint(again), got, err)
		}
	})
}
