package command

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tars writes shards of n images each, with captions, of which one is no image.
func tars(t *testing.T, shards, n int) []string {
	t.Helper()
	images := tree(t, (shards*n+3)/4)
	var all [][]byte
	for _, c := range []string{"red", "green", "blue", "grey"} {
		for i := range (shards*n + 3) / 4 {
			data, err := os.ReadFile(filepath.Join(images, c, fmt.Sprint(i, ".png")))
			check(t, err)
			all = append(all, data)
		}
	}
	dir := t.TempDir()
	var names []string
	for s := range shards {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		add := func(name string, data []byte) {
			check(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o666, Size: int64(len(data))}))
			_, err := w.Write(data)
			check(t, err)
		}
		for i := range n {
			key := fmt.Sprintf("%03d%03d", s, i)
			data := all[s*n+i]
			if i == 1 {
				data = []byte("<html>")
			}
			add(key+".png", data)
			add(key+".txt", []byte("number "+key))
		}
		check(t, w.Close())
		names = append(names, write(t, filepath.Join(dir, fmt.Sprintf("%05d.tar", s)), b.String()))
	}
	return names
}

// contents are all files below a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(name)] = string(data)
		return err
	}))
	return all
}

func sameFiles(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("%s: files\n%q, want\n%q", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for name, data := range want {
		if there, ok := got[name]; ok && there != data {
			t.Errorf("%s: %s differs", what, name)
		}
	}
}

// said reads the lines about shards.
func said(t *testing.T, out string) []shardSaid {
	t.Helper()
	var all []shardSaid
	for line := range strings.Lines(out) {
		var one shardSaid
		check(t, json.Unmarshal([]byte(line), &one))
		all = append(all, one)
	}
	return all
}

// TestEmbed goes through what a worker does: names on standard input, one line for each, the
// exit code, and what the other commands make of the result.
func TestEmbed(t *testing.T) {
	photos := tree(t, 6)
	model := tiny(t, photos)
	shards := tars(t, 3, 8)
	lost := filepath.Join(t.TempDir(), "lost.tar")
	out := filepath.Join(t.TempDir(), "out")
	cmd := program(t, "embed", "--model", model, "--out", out, "--texts", "yes", "--part-size", "5")
	var stdout, stderr bytes.Buffer
	cmd.Stdin = strings.NewReader(strings.Join([]string{shards[0], lost, "", shards[1]}, "\n"))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if cmd.Run() == nil || cmd.ProcessState.ExitCode() != badInput || !strings.Contains(stderr.String(), lost) {
		t.Errorf("a shard is lost: exit code %d\n%s", cmd.ProcessState.ExitCode(), &stderr)
	}
	lines := said(t, stdout.String())
	if len(lines) != 3 || lines[1].Error == "" || lines[1].Shard != lost || lines[2].Shard != shards[1] || lines[2].Pictures != 7 || lines[2].Failures != 1 || lines[2].Embedded != 7 || lines[2].Parts != 2 || lines[2].Skipped != 0 || lines[2].Seconds <= 0 || lines[2].Rate <= 0 {
		t.Errorf("it said\n%s", &stdout)
	}
	again := said(t, works(t, nil, append([]string{"embed", "--model", model, "--out", out, "--texts", "yes", "--part-size", "5"}, shards...)...))
	if len(again) != 3 || again[0].Skipped != 2 || again[0].Embedded != 0 || again[2].Embedded != 7 || again[2].Skipped != 0 || again[0].Pictures != 7 {
		t.Errorf("once more: %+v", again)
	}
	names := slices.Sorted(maps.Keys(contents(t, out)))
	want := []string{"goclip.json"}
	for s := range 3 {
		for k := range 2 {
			part := fmt.Sprintf("%05d_%d", s, k)
			want = append(want, "img_emb/img_emb_"+part+".npy", "text_emb/text_emb_"+part+".npy", "metadata/metadata_"+part+".parquet", "parts/"+part+".json")
			if k == 0 {
				want = append(want, "failures/failures_"+part+".jsonl")
			}
		}
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}

	// A process without a shard has nothing to load, and nothing to complain of.
	cmd = program(t, "embed", "--model", "there is none", "--out", filepath.Join(t.TempDir(), "x"))
	cmd.Stdin = strings.NewReader("")
	if data, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("no shard: %v\n%s", err, data)
	}

	// Other settings, and another shard of a name, are refused and nothing changes.
	before := contents(t, out)
	for _, more := range [][]string{{"--texts", "no", shards[0]}, {"--part-size", "5", "--texts", "yes", tars(t, 1, 9)[0]}} {
		_, errs, code := goclip(t, append([]string{"embed", "--model", model, "--out", out}, more...)...)
		if code != misuse || !strings.Contains(errs, "--overwrite") {
			t.Errorf("%q: exit code %d\n%s", more, code, errs)
		}
	}
	sameFiles(t, "after refusals", contents(t, out), before)
	_, errs, code := goclip(t, "embed", "--model", model, "--out", photos, shards[0])
	if code != misuse || !strings.Contains(errs, photos) {
		t.Errorf("into photographs: exit code %d\n%s", code, errs)
	}
}

// TestEmbeddingsAreIndexed: an index of embeddings finds what one of the images finds.
func TestEmbeddingsAreIndexed(t *testing.T) {
	photos := tree(t, 6)
	write(t, filepath.Join(photos, "red", "404.png"), "<html>")
	model := tiny(t, photos)
	dir := t.TempDir()
	straight := filepath.Join(dir, "straight.index")
	works(t, nil, "index", "--model", model, "--data", photos, "--out", straight)
	search := func(index string) []found {
		var all []found
		works(t, &all, "search", "--model", model, "--index", index, "-k", "5", "red", "a photo of a blue")
		return all
	}
	want := search(straight)
	for _, format := range []string{"clip-retrieval", "npy", "npz", "parquet", "jsonl"} {
		out, index := filepath.Join(dir, format), filepath.Join(dir, format+".index")
		works(t, nil, "embed", "--model", model, "--out", out, "--format", format, "--dtype", map[bool]string{true: "float32"}[format != "jsonl"], photos)
		if _, err := os.Stat(filepath.Join(out, "img_emb", "img_emb_0.npy")); (err == nil) != (format == "clip-retrieval" || format == "npy") {
			t.Errorf("%s: img_emb_0.npy: %v", format, err)
		}
		var made struct{ Entries int }
		works(t, &made, "index", "--model", model, "--data", out, "--out", index)
		got := search(index)
		for q := range want {
			for i, h := range want[q].Hits {
				if g := got[q].Hits[i]; made.Entries != 24 || g.Key != h.Key || !(g.Score-h.Score <= 2e-7) || !(h.Score-g.Score <= 2e-7) {
					t.Errorf("%s: %d entries, hit %d is %+v, want %+v", format, made.Entries, i, g, h)
				}
			}
		}
	}
	for _, way := range [][]string{{"--rows", "int8"}, {"--rows", "int8", "--append", "--shard", "7"}, {"--rows", "int8+float16", "--append"}} {
		out, index := filepath.Join(dir, "npy"), filepath.Join(dir, strings.Join(way, ""))
		for range 2 { // of which the second replaces the first
			works(t, nil, append([]string{"index", "--model", model, "--data", out, "--out", index, "--overwrite"}, way...)...)
		}
		var is struct {
			Entries int
			Rows    string
		}
		if works(t, &is, "info", index); is.Entries != 24 || is.Rows != way[1] {
			t.Errorf("%q: info says %+v", way, is)
		}
		got, near := search(index), 2e-7
		if way[1] == "int8+float16" {
			near = 5e-4
		}
		for q := range want {
			for i, h := range want[q].Hits {
				if g := got[q].Hits[i]; (g.Key != h.Key && near < 1e-4) || !(max(g.Score-h.Score, h.Score-g.Score) <= near) {
					t.Errorf("%q: hit %d is %+v, want %+v", way, i, g, h)
				}
			}
		}
	}
	other := tiny(t, tree(t, 4))
	_, errs, code := goclip(t, "index", "--model", other, "--data", filepath.Join(dir, "npy"), "--out", filepath.Join(dir, "wrong.index"))
	if code != badInput || !strings.Contains(errs, "are of the model") {
		t.Errorf("another model: exit code %d\n%s", code, errs)
	}
}

// TestKilledWorkers: workers that are killed at random, two at a time on the same shards,
// leave the bytes of one that was not disturbed, and nothing else. GOCLIP_KILLS is how many
// are killed.
func TestKilledWorkers(t *testing.T) {
	kills := 12
	if n, err := strconv.Atoi(os.Getenv("GOCLIP_KILLS")); err == nil {
		kills = n
	} else if testing.Short() {
		kills = 4
	}
	model := tiny(t, tree(t, 4))
	shards := tars(t, 4, 30)
	flags := func(out string) []string {
		return append([]string{"embed", "-q", "--model", model, "--out", out, "--texts", "yes", "--part-size", "4"}, shards...)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	began := time.Now()
	works(t, nil, flags(whole)...)
	took := time.Since(began)
	want := contents(t, whole)
	for killed, out := 0, ""; killed < kills; {
		if out == "" {
			out = filepath.Join(t.TempDir(), "killed")
		}
		var pair [2]*os.Process
		cmds := []interface{ Wait() error }{}
		for i := range pair {
			cmd := program(t, flags(out)...)
			check(t, cmd.Start())
			pair[i], cmds = cmd.Process, append(cmds, cmd)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(took))))
		pair[0].Kill()
		time.Sleep(time.Duration(rand.Int64N(int64(took))))
		pair[1].Kill()
		done := 0
		for _, cmd := range cmds {
			if cmd.Wait() == nil {
				done++
			} else {
				killed++
			}
		}
		if done > 0 || killed >= kills {
			works(t, nil, flags(out)...)
			sameFiles(t, "after workers were killed", contents(t, out), want)
			out = "" // and once more from the beginning
		}
	}
}
