package safetensors

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func save(t *testing.T, path string, names ...string) {
	t.Helper()
	var tensors []Tensor
	for i, n := range names {
		tensors = append(tensors, Tensor{Name: n, Shape: []int{1}, Float32: []float32{float32(i)}})
	}
	if err := WriteFile(path, tensors, map[string]string{"shard": filepath.Base(path)}); err != nil {
		t.Fatal(err)
	}
}

func saveIndex(t *testing.T, dir, weights string) string {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors.index.json")
	if err := os.WriteFile(path, []byte(`{"metadata":{"total_size":8,"deep":[[{}]]},"weight_map":{`+weights+`}}`), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
}

func TestSharded(t *testing.T) {
	dir := t.TempDir()
	save(t, filepath.Join(dir, "2"), "c")
	save(t, filepath.Join(dir, "1"), "b", "a")
	f, err := OpenSharded(saveIndex(t, dir, `"a":"1","b":"1","c":"2"`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Names(), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("names: got %v, want %v", got, want)
	}
	if v := floats(t, f, "a"); v[0] != 1 {
		t.Errorf("got %v, want 1", v[0])
	}
	if m := f.Metadata(); len(m) != 1 || m["shard"] != "1" {
		t.Errorf("metadata: got %v, want that of the first shard", m)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Float32("c", make([]float32, 1)); err == nil {
		t.Error("a closed file is read")
	}
}

// TestShardNames: no name can lead out of the folder, and none is opened before
// all are checked.
func TestShardNames(t *testing.T) {
	outside := t.TempDir()
	save(t, filepath.Join(outside, "1"), "a")
	dir := filepath.Join(outside, "model")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, shard := range []string{
		"", ".", "..", "../1", `..\\1`, "a/../1", "./1", "a/1", "/1", filepath.ToSlash(filepath.Join(outside, "1")), "C:1", "a..b", "a\\u0000/..",
	} {
		_, err := OpenSharded(saveIndex(t, dir, `"a":"`+shard+`"`))
		if err == nil || !strings.Contains(err.Error(), "is not the plain name of a file") {
			t.Errorf("%q: got error %v", shard, err)
		}
	}
	if _, err := OpenSharded(saveIndex(t, dir, `"a":"none"`)); err == nil || !strings.Contains(err.Error(), `shard "none": `) {
		t.Errorf("a missing shard: got error %v", err)
	}
	symlink(t, filepath.Join(outside, "1"), filepath.Join(dir, "link"))
	symlink(t, "../1", filepath.Join(dir, "relative"))
	symlink(t, outside, filepath.Join(dir, "folder"))
	for _, shard := range []string{"link", "relative", "folder"} {
		_, err := OpenSharded(saveIndex(t, dir, `"a":"`+shard+`"`))
		if err == nil || !strings.Contains(err.Error(), `shard "`+shard+`" links out of its folder`) {
			t.Errorf("%q: got error %v", shard, err)
		}
	}
	save(t, filepath.Join(dir, "1"), "a")
	symlink(t, "1", filepath.Join(dir, "inside"))
	f, err := OpenSharded(saveIndex(t, dir, `"a":"inside"`))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestShardsInHubCache: the hub's cache keeps files in blobs and links to them,
// the index too; elsewhere such a link is refused.
func TestShardsInHubCache(t *testing.T) {
	for folder, allowed := range map[string]bool{"snapshots": true, "shots": false} {
		root := t.TempDir()
		blobs, snapshot := filepath.Join(root, "blobs"), filepath.Join(root, folder, "4f2a")
		for _, d := range []string{blobs, snapshot} {
			if err := os.MkdirAll(d, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		save(t, filepath.Join(blobs, "77aa"), "a")
		if err := os.Rename(saveIndex(t, root, `"a":"model-1.safetensors"`), filepath.Join(blobs, "88bb")); err != nil {
			t.Fatal(err)
		}
		index := filepath.Join(snapshot, "model.safetensors.index.json")
		symlink(t, "../../blobs/77aa", filepath.Join(snapshot, "model-1.safetensors"))
		symlink(t, "../../blobs/88bb", index)
		f, err := OpenSharded(index)
		if allowed != (err == nil) {
			t.Errorf("%s: got error %v", folder, err)
		}
		if err == nil {
			f.Close()
		}
	}
}

// TestShardsDisagree: every tensor that the index and the shards disagree on is
// in the error.
func TestShardsDisagree(t *testing.T) {
	dir := t.TempDir()
	save(t, filepath.Join(dir, "1"), "a", "stray")
	save(t, filepath.Join(dir, "2"), "a", "b")
	_, err := OpenSharded(saveIndex(t, dir, `"a":"2","b":"1","c":"1","d":"2"`))
	if err == nil {
		t.Fatal("opened")
	}
	for _, want := range []string{
		"5 tensors: ",
		`"b" is listed in 1 but found in 2`,
		`"c" is missing from 1`,
		`"d" is missing from 2`,
		`"stray" in 1 is not listed`,
		`"a" is both in 1 and in 2`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s in it", err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "2"), []byte("no shard"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSharded(saveIndex(t, dir, `"a":"1","b":"2"`)); err == nil || !strings.Contains(err.Error(), "shard 2: header length") {
		t.Errorf("a broken shard: got error %v", err)
	}
}

func TestIndexRefusals(t *testing.T) {
	for text, want := range map[string]string{
		``:                                 "unexpected EOF",
		`[]`:                               "[, want {",
		`{}`:                               "no weight_map, or an empty one",
		`{"weight_map":{}}`:                "no weight_map, or an empty one",
		`{"weight_map":[]}`:                `"weight_map": [, want {`,
		`{"weight_map":{"a":1}}`:           `"weight_map": "a": 1, want a string`,
		`{"weight_map":{"a":"1","a":"2"}}`: `"weight_map": duplicate name "a"`,
		`{"weight_map":{"a":"1"},"weight_map":{"a":"1"}}`: `duplicate name "weight_map"`,
		`{"weight_map":{"a":"1"}} {}`:                     "{ after the end of the object",
		`{"weight_map":{"a":"1"},"metadata":nope}`:        "invalid character",
	} {
		if _, err := parseIndex(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %s", text, err, want)
		}
	}
}

// FuzzIndex: no index, whatever its text, names a shard outside the folder.
func FuzzIndex(f *testing.F) {
	for _, s := range []string{"1", "../1", "/1", `\\1`, "..", "a/..", "1/", "a\\u0000b"} {
		f.Add([]byte(`{"metadata":{"total_size":1},"weight_map":{"a":"` + s + `"}}`))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		weights, err := parseIndex(string(text))
		if err != nil {
			return
		}
		for _, shard := range weights {
			if path, err := shardPath(dir, shard); err == nil {
				t.Errorf("%q is the file %s, but the folder is empty", shard, path)
			}
		}
	})
}
