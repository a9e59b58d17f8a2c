package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// corruptions are the ways in which a sample can be bad, and what the ledger
// has to say of it.
var corruptions = []struct {
	name, reason string
	files        func(i int) []member
}{
	{"truncated JPEG", "pillow: jpeg: ", func(i int) []member {
		whole := jpegOf(i)
		return []member{{"jpg", whole[:len(whole)*3/4]}, {"txt", "truncated"}}
	}},
	{"wrong extension", `no image: "dat" is not the extension of one`, func(i int) []member {
		return []member{{"dat", jpegOf(i)}, {"txt", "wrong extension"}}
	}},
	{"empty file", "not an image: empty", func(int) []member {
		return []member{{"jpg", ""}, {"txt", "empty"}}
	}},
	{"text as image", `text, which begins with "404 page not found"`, func(int) []member {
		return []member{{"jpg", "404 page not found"}, {"txt", "text"}}
	}},
	{"huge header", "60000×60000 is more than the limit", func(i int) []member {
		data := []byte(jpegOf(i))
		at := bytes.Index(data, []byte{0xff, 0xc0})
		copy(data[at+5:], []byte{60000 >> 8, 60000 & 255, 60000 >> 8, 60000 & 255})
		return []member{{"jpg", string(data)}, {"txt", "huge"}}
	}},
	{"missing caption", "no caption and no label", func(i int) []member {
		return []member{{"jpg", jpegOf(i)}}
	}},
	{"empty caption", "no caption and no label", func(i int) []member {
		return []member{{"jpg", jpegOf(i)}, {"txt", " \n"}}
	}},
	{"invalid UTF-8", `not valid UTF-8: "caf\xe9"`, func(i int) []member {
		return []member{{"jpg", jpegOf(i)}, {"txt", "caf\xe9"}}
	}},
	{"broken JSON", ".json: not a JSON object", func(i int) []member {
		return []member{{"jpg", jpegOf(i)}, {"json", `{"caption": `}}
	}},
	{"large file", "more than the limit of 20000", func(i int) []member {
		return []member{{"jpg", jpegOf(i) + strings.Repeat("x", 20000)}, {"txt", "large"}}
	}},
}

// corruptShards is n samples in four shards, of which one in every is bad. It
// returns what the ledger should say of each of those.
func corruptShards(t testing.TB, n, every int) (files map[string][]byte, reasons map[string]string) {
	files, reasons = map[string][]byte{}, map[string]string{}
	const shards = 4
	for k := range shards {
		var members []member
		for i := k * n / shards; i < (k+1)*n/shards; i++ {
			key := fmt.Sprintf("%06d", i)
			content := []member{{"jpg", jpegOf(i)}, {"txt", "caption " + key}}
			if i%every == every/2 {
				kind := corruptions[i/every%len(corruptions)]
				content, reasons[key] = kind.files(i), kind.reason
			}
			for _, m := range content {
				members = append(members, member{key + "." + m.name, m.content})
			}
		}
		data := tarOf(t, members)
		files[fmt.Sprintf("plain-%d.tar", k)] = data
		files[fmt.Sprintf("packed-%d.tar.gz", k)] = gzipOf(t, data)
	}
	return files, reasons
}

func TestLedgerNamesEveryCorruptSample(t *testing.T) {
	const n = 2000
	files, want := corruptShards(t, n, 100)
	if len(want) != n/100 {
		t.Fatalf("%d corrupt samples, want %d", len(want), n/100)
	}
	dir := writeFiles(t, files)
	for _, c := range []struct {
		name, path string
		o          Options
	}{
		{"indexed", "/plain-{0..3}.tar", Options{}},
		{"streamed", "/plain-{0..3}.tar", Options{Stream: true}},
		{"compressed", "/packed-{0..3}.tar.gz", Options{Buffer: 100}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.MaxBytes = 20000
			set, err := Open(dir+c.path, &c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			ledger := new(Ledger)
			seen := map[string]int{}
			for b, err := range Batches(context.Background(), set, BatchOptions{Size: 10, Epochs: 2, Shuffle: true, Ledger: ledger}) {
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range b.Pairs {
					seen[p.Key]++
					if p.Caption != "caption "+p.Key {
						t.Fatalf("%s came with %q", p.Key, p.Caption)
					}
				}
			}
			if len(seen) != n-len(want) {
				t.Errorf("%d good samples, want %d", len(seen), n-len(want))
			}
			checkLedger(t, ledger, want)
		})
	}
}

// checkLedger wants each key once, with its reason, twice come up.
func checkLedger(t *testing.T, ledger *Ledger, want map[string]string) {
	t.Helper()
	missing := maps.Clone(want)
	for _, b := range ledger.Bad() {
		reason, ok := missing[b.Key]
		if !ok || !strings.Contains(b.Reason, reason) || b.Times != 2 {
			t.Errorf("%+v, want twice %q", b, reason)
		}
		delete(missing, b.Key)
	}
	if len(missing) > 0 {
		t.Errorf("not in the ledger: %v", slices.Sorted(maps.Keys(missing)))
	}
	var text bytes.Buffer
	if err := ledger.WriteJSONLines(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != ledger.Len() {
		t.Errorf("%d lines of JSON, want %d", len(lines), ledger.Len())
	}
	for i, line := range lines {
		var b Bad
		if err := json.Unmarshal([]byte(line), &b); err != nil || b != ledger.Bad()[i] {
			t.Errorf("line %d is %s (%v), want %+v", i+1, line, err, ledger.Bad()[i])
		}
	}
}

// TestStreamMemoryIsFlat goes through 60 MB of tar with a buffer of 1 MB.
func TestStreamMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("60 MB of images")
	}
	noise := strings.Repeat(pngOf(1)+"0123456789abcdef", 400)
	var members []member
	for i := range 200 {
		members = append(members, member{fmt.Sprintf("%04d.png", i), pngOf(i) + noise}, member{fmt.Sprintf("%04d.txt", i), "x"})
	}
	dir := writeFiles(t, map[string][]byte{"s.tar.gz": gzipOf(t, tarOf(t, members))})
	members = nil
	set, err := Open(dir+"/s.tar.gz", &Options{BufferBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, peak, n := heap(), uint64(0), 0
	for _, err := range Batches(context.Background(), set, BatchOptions{Size: 2, Workers: 2, Epochs: 1, Shuffle: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%10 == 0 {
			peak = max(peak, heap())
		}
	}
	// The buffer, and some ten samples of 0.3 MB on their way.
	if limit := before + 8<<20; n != 100 || peak > limit {
		t.Errorf("%d batches, %d KiB of heap over %d before, want 100 and at most 8 MiB more", n, peak>>10, before>>10)
	}
}
