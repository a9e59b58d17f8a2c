package safetensors

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestHostileHeaders: whatever a header or an index says, the memory that is taken on the
// way, freed or not, is a small multiple of the file.
func TestHostileHeaders(t *testing.T) {
	repeat := func(n int, part string) string { return strings.Repeat(part, n) }
	numbered := func(n int, part string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, part, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	headers := map[string]string{
		"as many tensors as there may be": "{" + numbered(maxTensors, `"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`) + "}",
		"more tensors":                    "{" + numbered(maxTensors+9, `"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`) + "}",
		"many dimensions":                 "{" + numbered(20_000, `"%d":{"dtype":"U8","shape":[`+repeat(60, "1,")+`0],"data_offsets":[0,0]},`) + "}",
		"a shape without end":             `{"a":{"dtype":"U8","shape":[` + repeat(5e6, "1,") + `1],"data_offsets":[0,1]}}`,
		"offsets without end":             `{"a":{"dtype":"U8","shape":[1],"data_offsets":[` + repeat(5e6, "1,") + `1]}}`,
		"a number without end":            `{"a":{"dtype":"U8","shape":[` + repeat(1e7, "1") + `],"data_offsets":[0,1]}}`,
		"a name without end":              `{"` + repeat(1e7, "a") + `":1}`,
		"escapes without end":             `{"` + repeat(2e6, `\u0061`) + `":1}`,
		"many metadata":                   `{"__metadata__":{` + numbered(maxTensors+9, `"%d":"",`) + "}}",
		"nesting":                         `{"a":` + repeat(1e7, "["),
		"white space":                     repeat(1e7, " ") + "{",
		"commas":                          "{" + repeat(1e7, ","),
		"quotes":                          "{" + repeat(1e7, `"`),
	}
	dir := t.TempDir()
	for name, header := range headers {
		file := image(header, 0)
		cheap(t, name, len(file), func() {
			if f, err := openBytes(file); (err == nil) != (name == "as many tensors as there may be" || name == "many dimensions") {
				t.Errorf("%s: got error %v", name, err)
			} else if err != nil && len(err.Error()) > 1000 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			} else if err == nil {
				f.Names()
			}
		})
	}
	for name, index := range map[string]string{
		"tensors":  `{"weight_map":{` + numbered(maxTensors, `"%d":"1",`) + "}}",
		"more":     `{"weight_map":{` + numbered(maxTensors+1, `"%d":"1",`) + "}}",
		"nesting":  `{"a":` + repeat(1e7, "["),
		"objects":  `{"a":` + repeat(2e6, `{"a":`),
		"passed":   `{"a":[` + repeat(3e6, "1,") + `1],"weight_map":{}}`,
		"literals": `{"a":` + repeat(1e7, "t"),
	} {
		path := filepath.Join(dir, "model.safetensors.index.json")
		if err := os.WriteFile(path, []byte(index), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "1"), image("{}", 0), 0o666); err != nil {
			t.Fatal(err)
		}
		cheap(t, name, len(index), func() {
			if _, err := OpenSharded(path); err == nil || len(err.Error()) > 4000 {
				t.Errorf("%s: got error %.4000v", name, err)
			}
		})
	}
}

// cheap reports a function that takes more memory than a file of so many bytes is worth.
func cheap(t *testing.T, name string, size int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(32*size+1<<20); got > most {
		t.Errorf("%s: %d bytes of memory for a file of %d, want at most %d", name, got, size, most)
	}
}

// TestIndexNesting: what an index says besides is passed over.
func TestIndexNesting(t *testing.T) {
	weights, err := parseIndex(`{"metadata":{"total_size":1e9,"a":[true,false,null,{"b":"\u00e9"},-1.5]}, "weight_map" : { "a" : "1" } }`)
	if err != nil || weights["a"] != "1" {
		t.Errorf("got %v and error %v", weights, err)
	}
	for _, wrong := range []string{`{"a":01,"weight_map":{"a":"1"}}`, `{"a":tru}`, `{"a":[1,]}`, `{"a":1,}`, `{"a" 1}`, "{\"a\":\"\x01\"}", "{\"\xff\":1}", `{"a":[}`, `{"a":"\x"}`} {
		if _, err := parseIndex(wrong); err == nil {
			t.Errorf("%s: no error", wrong)
		}
	}
}

// TestLargestHeader: a header of the largest size that the format allows costs a moment and
// a small multiple of itself, whether all of it is names or nothing is right.
func TestLargestHeader(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	const size = 98 << 20
	var tensors strings.Builder
	for i := 0; tensors.Len() < size; i++ {
		tensors.WriteString(`"` + strconv.Itoa(i) + `":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`)
	}
	for name, header := range map[string]string{
		"tensors": "{" + tensors.String(), "brackets": "{" + strings.Repeat("[", size), "spaces": "{" + strings.Repeat(" ", size),
	} {
		file := image(header, 0)
		cheap(t, name, len(file)/8, func() { // refused long before its end
			if _, err := openBytes(file); err == nil || len(err.Error()) > 1000 {
				t.Errorf("%s: got error %.1000v", name, err)
			}
		})
	}
}
