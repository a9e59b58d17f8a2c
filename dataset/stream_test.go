package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// layouts are small sets, one of each kind, as files in the order of a tar.
func layouts() map[string][]member {
	sets := map[string][]member{"folders": nil, "sidecars": nil, "table": nil, "metadata": nil}
	csv, jsonl := "image,caption\n", ""
	for i := range 12 {
		class := []string{"red_fox", "owl"}[i%2]
		sets["folders"] = append(sets["folders"], member{fmt.Sprintf("train/%s/%03d.v2.png", class, i), pngOf(i)})
		key := fmt.Sprintf("%06d", i)
		sets["sidecars"] = append(sets["sidecars"], member{key + ".png", pngOf(i)})
		switch i % 3 {
		case 0:
			sets["sidecars"] = append(sets["sidecars"], member{key + ".txt", fmt.Sprintf(" caption %d\n", i)}, member{key + ".json", `{"width": 16}`})
		case 1:
			sets["sidecars"] = append(sets["sidecars"], member{key + ".json", fmt.Sprintf(`{"caption": "caption %d", "label": 7}`, i)})
		case 2:
			sets["sidecars"] = append(sets["sidecars"], member{key + ".cls", fmt.Sprint(i)})
		}
		name := fmt.Sprintf("images/%d.jpg", i)
		sets["table"] = append(sets["table"], member{name, jpegOf(i)})
		sets["metadata"] = append(sets["metadata"], member{"train/" + name, jpegOf(i)})
		csv += fmt.Sprintf("%s,first %d\n%s,\"second, %d\"\n", name, i, name, i)
		jsonl += fmt.Sprintf(`{"file_name": %q, "text": ["first %d", "second %d"]}`+"\n", name, i, i)
	}
	sets["folders"] = append(sets["folders"], member{"README.md", "x"}, member{"train/owl/.DS_Store", "x"}, member{"train/owl/notes.txt", "x"})
	sets["table"] = append(sets["table"], member{"captions.csv", csv + "images/gone.jpg,nothing here\nimages/0.jpg\n"})
	sets["metadata"] = append(sets["metadata"], member{"train/metadata.jsonl", jsonl + "{}\n"})
	return sets
}

// TestOneSetManyContainers: a folder, a tar, a compressed tar, a tar that is
// streamed and one in a file system without random access hold the same samples.
func TestOneSetManyContainers(t *testing.T) {
	count := map[string]int{"folders": 12, "sidecars": 12, "table": 14, "metadata": 13}
	for name, members := range layouts() {
		t.Run(name, func(t *testing.T) {
			data := tarOf(t, members)
			var packed bytes.Buffer
			w := zip.NewWriter(&packed)
			f, _ := w.Create("set.tar")
			f.Write(data)
			w.Close()
			zipped, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
			if err != nil {
				t.Fatal(err)
			}
			files := mapFS(map[string][]byte{"set.tar": data, "set.tar.gz": gzipOf(t, data), "lying.tar": gzipOf(t, data)})
			var want []string
			for _, c := range []struct {
				container string
				fsys      fs.FS
				path      string
				o         *Options
				indexed   bool
			}{
				{"folder", folderFS("set", members), "set", nil, true},
				{"tar", files, "set.tar", nil, true},
				{"streamed", files, "set.tar", &Options{Stream: true}, false},
				{"gzip", files, "set.tar.gz", nil, false},
				{"gzip called tar", files, "lying.tar", nil, false},
				{"tar in a zip", zipped, "set.tar", nil, false},
			} {
				set, err := OpenFS(c.fsys, c.path, c.o)
				if err != nil {
					t.Fatalf("%s: %v", c.container, err)
				}
				defer set.Close()
				if _, ok := set.Indexed(); ok != c.indexed {
					t.Errorf("%s: indexed is %v, want %v", c.container, ok, c.indexed)
				}
				got := contents(t, set, Order{})
				slices.Sort(got)
				// Only a tar knows without opening that a file is missing.
				got = withoutReasons(got)
				if set.Len() != count[name] || len(got) != count[name] {
					t.Errorf("%s: Len %d, %d samples, want %d", c.container, set.Len(), len(got), count[name])
				}
				if want == nil {
					want = got
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s:\n%s\nwant\n%s", c.container, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				shuffled := withoutReasons(contents(t, set, Order{Shuffle: true, Seed: 1}))
				if slices.Equal(shuffled, got) {
					t.Errorf("%s: the shuffled order is the sorted one", c.container)
				}
				slices.Sort(shuffled)
				if !slices.Equal(shuffled, want) {
					t.Errorf("%s: shuffling changes the set", c.container)
				}
			}
		})
	}
}

// withoutReasons shortens the lines of bad samples.
func withoutReasons(lines []string) []string {
	for i, line := range lines {
		if key, rest, _ := strings.Cut(line, ": "); !strings.HasPrefix(rest, "[") {
			lines[i] = key + ": bad"
		}
	}
	return lines
}

// shards is n samples in tars of size each.
func shards(t testing.TB, n, size int) map[string][]byte {
	files := map[string][]byte{}
	for first := 0; first < n; first += size {
		var members []member
		for i := first; i < min(first+size, n); i++ {
			members = append(members, member{fmt.Sprintf("%06d.png", i), pngOf(i)}, member{fmt.Sprintf("%06d.txt", i), fmt.Sprint("caption ", i)})
		}
		files[fmt.Sprintf("s-%03d.tar.gz", first/size)] = gzipOf(t, tarOf(t, members))
	}
	return files
}

func TestStreamShuffle(t *testing.T) {
	fsys := mapFS(shards(t, 300, 30))
	for _, o := range []Options{{Buffer: 50}, {Buffer: 1}, {BufferBytes: 2000}} {
		set, err := OpenFS(fsys, "s-{000..009}.tar.gz", &o)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		if set.Len() != -1 {
			t.Errorf("Len %d, want -1: nobody has read ten shards", set.Len())
		}
		plain := contents(t, set, Order{})
		first := contents(t, set, Order{Shuffle: true, Seed: 1})
		if len(plain) != 300 || !slices.IsSorted(plain) {
			t.Errorf("%d samples, want 300 in order", len(plain))
		}
		if !slices.Equal(first, contents(t, set, Order{Shuffle: true, Seed: 1})) {
			t.Error("one order gave two sequences")
		}
		for _, other := range []Order{{Shuffle: true, Seed: 2}, {Shuffle: true, Seed: 1, Epoch: 1}} {
			if slices.Equal(first, contents(t, set, other)) {
				t.Errorf("%+v gives the sequence of seed 1, epoch 0", other)
			}
		}
		for _, skip := range []int{1, 123, 299, 300, 400} {
			rest := contents(t, set, Order{Shuffle: true, Seed: 1, Skip: skip})
			if !slices.Equal(rest, first[min(skip, 300):]) {
				t.Errorf("skipping %d gives other samples than the rest of the whole", skip)
			}
		}
		slices.Sort(first)
		if !slices.Equal(first, plain) {
			t.Error("shuffling changes the set")
		}
	}
}

func TestStreamBatchesResume(t *testing.T) {
	set, err := OpenFS(mapFS(shards(t, 120, 30)), "s-{000..003}.tar.gz", &Options{Buffer: 40})
	if err != nil {
		t.Fatal(err)
	}
	o := BatchOptions{Size: 16, Epochs: 2, Shuffle: true, Seed: 3, Augment: speckle}
	want, cursors := transcript(t, set, o, -1)
	if len(want) != 14 {
		t.Fatalf("%d batches, want 14", len(want))
	}
	for i, c := range cursors {
		o.Start, o.Workers = c, i%3
		if got, _ := transcript(t, set, o, -1); !slices.Equal(got, want[i+1:]) {
			t.Fatalf("from cursor %+v the batches differ", c)
		}
	}
}

func TestStreamDamage(t *testing.T) {
	files := shards(t, 90, 30)
	files["s-001.tar.gz"] = files["s-001.tar.gz"][:len(files["s-001.tar.gz"])/2]
	files["s-002.tar.gz"] = []byte("not an archive at all")
	set, err := OpenFS(mapFS(files), "s-{000..003}.tar.gz", nil)
	if err != nil {
		t.Fatal(err)
	}
	ledger := new(Ledger)
	good := 0
	for b, err := range Batches(context.Background(), set, BatchOptions{Size: 4, KeepLast: true, Epochs: 1, Ledger: ledger}) {
		if err != nil {
			t.Fatal(err)
		}
		good += len(b.Pairs)
	}
	if good < 35 || good > 50 {
		t.Errorf("%d pairs, want the 30 of one shard and about half of another", good)
	}
	text := fmt.Sprint(ledger.Bad())
	for _, want := range []string{"s-001.tar.gz: the archive is damaged", "unexpected EOF", "s-002.tar.gz: the archive is damaged", "s-003.tar.gz: the archive is damaged: open s-003.tar.gz: file does not exist"} {
		if !strings.Contains(text, want) {
			t.Errorf("the ledger does not say %q:\n%s", want, text)
		}
	}
}

// TestTarDamage cuts a plain tar at every block.
func TestTarDamage(t *testing.T) {
	whole := tarOf(t, []member{{"a/1.png", pngOf(1)}, {"a/2.png", pngOf(2)}, {"b/3.png", pngOf(3)}})
	for cut := 512; cut < len(whole); cut += 256 {
		for _, o := range []*Options{nil, {Stream: true}} {
			set, err := OpenFS(mapFS(map[string][]byte{"x.tar": whole[:cut]}), "x.tar", o)
			if err != nil {
				continue // cut within the first image
			}
			lines := contents(t, set, Order{})
			good, all := 0, strings.Join(lines, "\n")
			for _, line := range lines {
				if strings.Contains(line, ": [") {
					good++
				}
			}
			if good < 3 && !strings.Contains(all, "archive") && !strings.Contains(all, "EOF") {
				t.Errorf("cut at %d: %d good samples and nothing said:\n%s", cut, good, all)
			}
		}
	}
}
