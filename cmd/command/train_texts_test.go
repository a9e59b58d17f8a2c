package command

import (
	"path/filepath"
	"strings"
	"testing"

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
		{"--teacher and --teacher-file, want one of them", []string{"--teacher", "a", "--teacher-file", "b"}},
	} {
		_, said, code := goclip(t, append([]string{"train", "--data", data, "--out", out("x"), "--overwrite", "--steps", "2", "--batch-size", "4"}, c.flags...)...)
		if code == 0 || !strings.Contains(said, c.want) {
			t.Errorf("%v: exit code %d and %q, want %s", c.flags, code, said, c.want)
		}
	}
}
