package serve

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// sorts are the kinds of values into which requests are read.
type sorts struct {
	Plain string
	Maybe *string
	List  []string
	Raw   json.RawMessage
	Raws  []json.RawMessage
	filter
	Nested struct{ Part []struct{ URL string } }
	Named  map[string]map[string]json.RawMessage
	Number []float64
}

// asJSON compares unmarshal with encoding/json.
func asJSON(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) { // which is refused before
		return
	}
	var got, want sorts
	errGot, errWant := unmarshal([]byte(text), &got), json.Unmarshal([]byte(text), &want)
	if (errGot == nil) != (errWant == nil) || errWant != nil && errGot.Error() != errWant.Error() {
		t.Errorf("%.300s: got %v, want %v", text, errGot, errWant)
	}
	if errWant == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("%.300s: another value than encoding/json's", text)
	}
}

// TestLongStrings: they come out as encoding/json has them, wherever they stand.
func TestLongStrings(t *testing.T) {
	long := strings.Repeat("QUJD", longString/4)
	for _, text := range []string{
		`{"plain":"L","maybe":"L","list":["a","L","","L"]}`,
		`{"raw":["L",{"a":"L"}],"raws":["L",5,"short"],"path":["L"],"after":"L","nested":{"part":[{"url":"data:image/png;base64,L"}]}}`,
		`{"named":{"a":{"b":"L"}},"number":[1,2]}`,
		`{"L":"L","plain" : "L" , "other":{"L" : "x"}}`,
		`{"plain":"L\u0000","list":["\u00000"]}`, `{"plain":"L","maybe":"\u00000"}`, `{"plain":"L\"L","maybe":"L"}`,
		`{"plain":"L` + "\n" + `"}`, `{"plain":"L`, `{"plain":"L\`, `{"plain":"L"`, `{"plain":L"}`, `"L"`, `["L"]`, `{"list":"L"}`, `{"number":["L"]}`,
		`{"plain":"L` + "\x80" + `"}`, `{"plain":"ü` + long + `"}`, `"L" "L"`,
	} {
		asJSON(t, strings.ReplaceAll(text, "L", long))
	}
}

func FuzzLongStrings(f *testing.F) {
	for _, text := range []string{`{"plain":"L"}`, `{"raw":{"a":["L","\"L"]},"list":["L","b"]}`, `{"L":"\u0000"}`, `{"maybe":"\\L"}`} {
		f.Add(text)
	}
	long := strings.Repeat("x", longString)
	f.Fuzz(func(t *testing.T, text string) { asJSON(t, strings.ReplaceAll(text, "L", long)) })
}

func BenchmarkLongStrings(b *testing.B) {
	text := []byte(`{"images":["` + strings.Repeat("QUJD", 60<<10) + `"]}`)
	for name, read := range map[string]func([]byte, any) error{"ours": unmarshal, "json": json.Unmarshal} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				var q struct{ Images []string }
				check(b, read(text, &q))
			}
		})
	}
}
