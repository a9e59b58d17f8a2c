package command

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
)

// TestTrainTexts: several captions and wrong ones, and a teacher's stored embeddings, by flags.
func TestTrainTexts(t *testing.T) {
	data, dir := tree(t, 8), t.TempDir()
	out := func(name string) string { return filepath.Join(dir, name) }
	works(t, nil, "train", "--data", data, "--out", out("captions"), "--captions", "2", "--steps", "2", "--batch-size", "4")

	stored := &train.Stored{Images: map[string][]float32{"nobody": {1, 0}}, Texts: map[string][]float32{"nothing": {0, 1}}, Scale: 10}
	check(t, stored.Save(out("stored.safetensors")))
	list := write(t, out("wrong.jsonl"), `{"caption": "nothing of the set", "wrong": ["something"]}`)
	for _, c := range []struct {
		want  string
		flags []string
	}{
		{"there are 0 wrong texts beside", []string{"--hard-negatives", list}},
		{"wrong captions: line 1: ", []string{"--hard-negatives", write(t, out("bad.jsonl"), "{")}},
		{"no such file", []string{"--hard-negatives", out("nowhere")}},
		{"Stored: 0 numbers for image", []string{"--teacher-file", out("stored.safetensors")}},
		{"no such file", []string{"--teacher-file", out("nowhere")}},
		{"--captions -1, want 1 or more", []string{"--captions=-1"}},
		{"holds the embeddings of another model", []string{"--teacher", tiny(t, data), "--teacher-file", out("stored.safetensors")}},
	} {
		_, said, code := goclip(t, append([]string{"train", "--data", data, "--out", out("x"), "--overwrite", "--steps", "2", "--batch-size", "4"}, c.flags...)...)
		if code == 0 || !strings.Contains(said, c.want) {
			t.Errorf("%v: exit code %d and %q, want %s", c.flags, code, said, c.want)
		}
	}
}

// TestTeacherFile: with both flags the teacher's embeddings are stored once, of all that the
// steps ask for; a run that reads them ends with the weights of the one that wrote them, and
// nearly with those of one that asks the teacher.
func TestTeacherFile(t *testing.T) {
	data, dir := tree(t, 8), t.TempDir()
	teacher, file := tiny(t, data), filepath.Join(dir, "teacher.safetensors")
	weights := func(name string, flags ...string) []float32 {
		t.Helper()
		out := filepath.Join(dir, name)
		works(t, nil, append([]string{"train", "--data", data, "--out", out, "--steps", "4", "--batch-size", "4", "--distill", "0.5", "--seed", "2"}, flags...)...)
		m, err := encoder.Load(out, nil)
		check(t, err)
		defer m.Close()
		var all []float32
		for _, p := range m.Params() {
			all = append(all, p.Data...)
		}
		return all
	}
	wrote := weights("wrote", "--teacher", teacher, "--teacher-file", file)
	before, err := os.ReadFile(file)
	check(t, err)
	read, again := weights("read", "--teacher-file", file), weights("again", "--teacher", teacher, "--teacher-file", file)
	if !slices.Equal(wrote, read) || !slices.Equal(wrote, again) {
		t.Error("the weights depend on who stored the embeddings")
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was written again, or is gone: %v", err)
	}
	asked := weights("asked", "--teacher", teacher)
	for i := range asked {
		if diff := math.Abs(float64(asked[i]) - float64(wrote[i])); !(diff <= 1e-4) {
			t.Fatalf("weight %d is %g with stored embeddings, %g with the teacher", i, wrote[i], asked[i])
		}
	}
}
