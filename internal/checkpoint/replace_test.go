package checkpoint_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/safetensors"
)

// alternate is one of two models that differ in all they have: layout, preprocessing,
// weights and tokenizer.
func alternate(t testing.TB, which int) (layout string, s checkpoint.Spec, m *model, tok checkpoint.File) {
	s = tinySpec()
	s.Preprocess.Mean[0] = float32(which+1) / 8
	m = random(t, s)
	for _, p := range m.params() {
		for i := range p.Data {
			p.Data[i] = float32(which)
		}
	}
	layout = []string{checkpoint.OpenCLIP, checkpoint.HuggingFace}[which]
	return layout, s, m, checkpoint.File{Name: []string{"merges.txt", "vocab.json"}[which], Data: []byte(strconv.Itoa(which))}
}

// whole reads a folder as a model is loaded, and says which of the two it is.
func whole(t *testing.T, dir string) (which int, err error) {
	err = journal.Again(func() error {
		which, err = wholeOnce(t, dir)
		return err
	})
	return which, err
}

func wholeOnce(t *testing.T, dir string) (int, error) {
	c, err := checkpoint.Open(dir, nil)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	spec := c.Spec()
	found := []int{slices.Index([]string{checkpoint.OpenCLIP, checkpoint.HuggingFace}, spec.Layout), int(spec.Preprocess.Mean[0]*8) - 1}
	for i, name := range []string{"merges.txt", "vocab.json"} {
		text, err := fs.ReadFile(c.TokenizerFS(), name)
		if err == nil {
			found = append(found, i, int(text[0]-'0'))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	m := blank(t, spec)
	if err := c.Fill(m.params()); err != nil {
		return 0, err
	}
	for _, p := range m.params() {
		for _, x := range p.Data {
			found = append(found, int(x))
		}
	}
	if slices.Sort(found); found[0] != found[len(found)-1] {
		return 0, fmt.Errorf("a mixture: %d … %d", found[0], found[len(found)-1])
	}
	return found[0], nil
}

// alternating saves one model over the other, from a given one on, without end.
func alternating(t testing.TB, dir string, which int) error {
	for {
		layout, s, m, tok := alternate(t, which)
		if err := replace(dir, layout, s, m.params(), tok); err != nil {
			return err
		}
		fmt.Println("saved")
		which = 1 - which
	}
}

// TestSaveKilled kills a process that saves models again and again: see
// journal.TestKilledAtRandom.
func TestSaveKilled(t *testing.T) {
	const mode = "GOCLIP_SAVE"
	if dir, which, child := strings.Cut(os.Getenv(mode), " "); child {
		t.Fatal(alternating(t, which, int(dir[0]-'0')))
	}
	kills := 15
	if testing.Short() {
		kills = 3
	}
	if n, err := strconv.Atoi(os.Getenv("GOCLIP_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	var seen [2]int
	for i := range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSaveKilled$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", mode, i%2, dir))
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "saved\n" {
			t.Fatalf("the process said %q, %v", line, err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		which, err := whole(t, dir)
		if err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		seen[which]++
	}
	t.Logf("%d kills; the models were found %v times", kills, seen)
	layout, s, m, tok := alternate(t, 1)
	if err := replace(dir, layout, s, m.params(), tok); err != nil {
		t.Fatal(err)
	}
	want := []string{"config.json", "model.safetensors", "preprocessor_config.json", "vocab.json"}
	if got := filesOf(t, dir); !slices.Equal(got, want) {
		t.Errorf("left: %q, want %q", got, want)
	}
}

// TestLoadBesideSaves: a reader in a loop beside two writers in a loop sees no mixture.
func TestLoadBesideSaves(t *testing.T) {
	dir := t.TempDir()
	layout, s, m, tok := alternate(t, 0)
	if err := replace(dir, layout, s, m.params(), tok); err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	done := make(chan error, 2)
	for which := range 2 {
		layout, s, m, tok := alternate(t, which)
		go func() {
			for {
				select {
				case <-end:
					done <- nil
					return
				default:
				}
				if err := replace(dir, layout, s, m.params(), tok); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	var seen [2]int
	length := time.Second
	if testing.Short() {
		length /= 4
	}
	for stop := time.Now().Add(length); time.Now().Before(stop); {
		which, err := whole(t, dir)
		if err != nil {
			t.Error(err)
			break
		}
		seen[which]++
	}
	close(end)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Logf("the models were read %v times", seen)
}

func filesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestReplaceAsked: a folder with another model is refused, whatever its layout; where
// it may be replaced nothing of it stays, and all else does.
func TestReplaceAsked(t *testing.T) {
	for which := range 2 {
		for other := range 2 {
			dir := t.TempDir()
			layout, s, m, tok := alternate(t, other)
			if err := save(dir, layout, s, m.params(), tok); err != nil {
				t.Fatal(err)
			}
			others := []string{".gitignore", "epoch_3.pt", "events.jsonl", "notes.txt"}
			for _, name := range append(slices.Clone(others), "tokenizer.json", "lora.safetensors", "pytorch_model.bin") {
				write(t, filepath.Join(dir, name), "x")
			}
			layout, s, m, tok = alternate(t, which)
			before := contents(t, dir)
			wantError(t, save(dir, layout, s, m.params(), tok), "the folder holds another model, ", "only where that is asked")
			if after := contents(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Error("a refused model changed the folder")
			}
			if err := replace(dir, layout, s, m.params(), tok); err != nil {
				t.Fatal(err)
			}
			want := append(others, [][]string{{"merges.txt", "open_clip_config.json", "open_clip_model.safetensors"},
				{"config.json", "model.safetensors", "preprocessor_config.json", "vocab.json"}}[which]...)
			slices.Sort(want)
			if got := filesOf(t, dir); !slices.Equal(got, want) {
				t.Errorf("%d over %d: got %q, want %q", which, other, got, want)
			}
			if got, err := whole(t, dir); err != nil || got != which {
				t.Errorf("%d over %d: got %d, %v", which, other, got, err)
			}
		}
	}
}

// TestReplaceShards: an index goes with the shards that it names, and with nothing that
// it names elsewhere.
func TestReplaceShards(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.json"), "{}")
	write(t, filepath.Join(dir, "a.safetensors"), "x")
	write(t, filepath.Join(dir, "..", "b.safetensors"), "x")
	write(t, filepath.Join(dir, "model.safetensors.index.json"), `{"weight_map":{"x":"a.safetensors","y":"../b.safetensors","z":"notes.txt"}}`)
	write(t, filepath.Join(dir, "notes.txt"), "x")
	layout, s, m, tok := alternate(t, 0)
	wantError(t, save(dir, layout, s, m.params(), tok), "the folder holds another model, config.json and model.safetensors.index.json")
	if err := replace(dir, layout, s, m.params(), tok); err != nil {
		t.Fatal(err)
	}
	if got := filesOf(t, dir); !slices.Equal(got, []string{"merges.txt", "notes.txt", "open_clip_config.json", "open_clip_model.safetensors"}) {
		t.Errorf("left: %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "..", "b.safetensors")); err != nil {
		t.Error(err)
	}
}

// TestSaveAgain: a model is saved again where it was saved or read, without asking, and
// files that it does not have any more go; elsewhere and in another layout it is not.
func TestSaveAgain(t *testing.T) {
	dir := t.TempDir()
	layout, s, m, tok := alternate(t, 0)
	first, err := checkpoint.Save(dir, layout, s, m.params(), nil, tok, checkpoint.File{Name: "old.model"})
	if err != nil {
		t.Fatal(err)
	}
	own := &checkpoint.SaveOptions{Own: []fs.FileInfo{first}}
	write(t, filepath.Join(dir, "notes.txt"), "x")
	second, err := checkpoint.Save(dir, layout, s, m.params(), own, tok)
	if err != nil {
		t.Fatal(err)
	}
	if got := filesOf(t, dir); !slices.Equal(got, []string{"merges.txt", "notes.txt", "open_clip_config.json", "open_clip_model.safetensors"}) {
		t.Errorf("left: %q", got)
	}
	_, err = checkpoint.Save(dir, layout, s, m.params(), own)
	wantError(t, err, "the folder holds another model")
	own.Own = append(own.Own, second)
	_, err = checkpoint.Save(dir, checkpoint.HuggingFace, s, m.params(), own)
	wantError(t, err, "the folder holds another model")
	c, _ := open(t, dir, nil)
	_, err = checkpoint.Save(dir, layout, s, m.params(), &checkpoint.SaveOptions{Own: []fs.FileInfo{c.File()}}, tok)
	if err != nil {
		t.Error(err)
	}
}

// TestFilesOfOneSave: a file beside the weights that is not the one they were saved
// with is an error which names it. Files that came later, or that are gone, are not.
func TestFilesOfOneSave(t *testing.T) {
	layout, s, m, tok := alternate(t, 0)
	dir := t.TempDir()
	_, err := checkpoint.Save(dir, layout, s, m.params(), &checkpoint.SaveOptions{Beside: []checkpoint.File{{Name: "lora.safetensors"}}}, tok)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(filepath.Join(dir, "open_clip_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if text := f.Metadata()[checkpoint.FilesKey]; !strings.Contains(text, `"merges.txt":"5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"`) ||
		!strings.Contains(text, "open_clip_config.json") || strings.Contains(text, "lora") {
		t.Errorf("metadata: %s", text)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "lora.safetensors"), "trained further")
	write(t, filepath.Join(dir, "notes.txt"), "x")
	if _, err := whole(t, dir); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(dir, "merges.txt"), "1")
	_, err = whole(t, dir)
	wantError(t, err, "merges.txt is not the one that was saved with open_clip_model.safetensors")
	if err := os.Remove(filepath.Join(dir, "merges.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := whole(t, dir); err != nil {
		t.Error(err)
	}
}
