package command

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestForgetAndMerge: images are taken out of an index by key and by filter; of two indexes
// comes one; a map is drawn of what is found; and a server shows what becomes of its index.
func TestForgetAndMerge(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	dir := t.TempDir()
	out, other := filepath.Join(dir, "photos.index"), filepath.Join(dir, "other.index")
	works(t, nil, "index", "--model", model, "--data", data, "--out", out)
	works(t, nil, "index", "--model", model, "--data", filepath.Join(data, "red"), "--out", other)
	before := time.Now().Add(-time.Second)
	cmd := program(t, "serve", "--model", "m="+model, "--index", out, "--listen", "127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	check(t, err)
	check(t, cmd.Start())
	base, lines := "", bufio.NewScanner(stderr)
	for base == "" && lines.Scan() {
		base = regexp.MustCompile(`http://[0-9.:]+`).FindString(lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()

	var gone struct {
		Forgotten int
		Unknown   []string
	}
	works(t, &gone, "forget", "--index", out, "red/0.png", "none\x1b[31m.png")
	if gone.Forgotten != 1 || len(gone.Unknown) != 1 {
		t.Errorf("by key: %+v", gone)
	}
	if _, errs, code := goclip(t, "forget", "--index", out, "none\x1b[31m.png"); code != 0 || strings.Contains(errs, "\x1b") || !strings.Contains(errs, `\x1b[31m`) {
		t.Errorf("a name that is none: %d %q", code, errs)
	}
	if runtime.GOOS == "linux" { // names of other encodings than UTF-8 are taken as they are
		name := "latin\xe9\x9b1m.png"
		_, errs, code := goclip(t, "forget", "--index", out, name)
		if code != 0 || strings.Contains(errs, "\x9b") || !strings.Contains(errs, `"latin\xe9\x9b1m.png"`) {
			t.Errorf("a name that is no UTF-8: %d %q", code, errs)
		}
	}
	works(t, &gone, "forget", "--index", out, "--path", "blue/**")
	if gone.Forgotten != 3 {
		t.Errorf("by path: %+v", gone)
	}
	if out := works(t, nil, "search", "--model", model, "--index", out, "-k", "20", "red"); strings.Contains(out, "blue/") || strings.Contains(out, "red/0.png") || !strings.Contains(out, "red/1.png") {
		t.Errorf("they are still found:\n%s", out)
	}
	goclipFails(t, misuse, "nothing to forget", "forget", "--index", out)
	goclipFails(t, badInput, "", "forget", "--index", filepath.Join(data, "red", "1.png"), "x")

	shown := ""
	for range 300 { // what the server shows follows
		resp, err := http.Get(base + "/api/search?k=50")
		check(t, err)
		text, err := io.ReadAll(resp.Body)
		check(t, err)
		resp.Body.Close()
		if shown = string(text); strings.Contains(shown, `"total":8`) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !strings.Contains(shown, `"total":8`) || strings.Contains(shown, "blue/") {
		t.Errorf("the server shows %s", shown)
	}
	check(t, cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}

	var merged struct{ Entries int }
	all := filepath.Join(dir, "all.index")
	works(t, &merged, "merge", "--out", all, out, other)
	if merged.Entries != 8+3 {
		t.Errorf("%d entries, want 11", merged.Entries)
	}
	goclipFails(t, misuse, "", "merge", "--out", all, out, other)
	goclipFails(t, misuse, "photographs", "merge", "--overwrite", "--out", out, other)
	stored := filepath.Join(dir, "stored.index")
	works(t, nil, "index", "--model", model, "--data", data, "--out", stored, "--no-upright")
	goclipFails(t, badInput, "upright", "merge", "--out", filepath.Join(dir, "x.index"), out, stored)

	maps := filepath.Join(dir, "maps")
	var found []struct{ Hits []hit }
	works(t, &found, "search", "--model", model, "--index", out, "-k", "2", "--explain", maps, "red")
	for i, h := range found[0].Hits {
		if info, err := os.Stat(h.Explain); err != nil || info.Size() < 100 || !info.ModTime().After(before) {
			t.Errorf("hit %d has no map: %+v %v", i, h, err)
		}
	}
	goclipFails(t, badInput, "of no folder", "search", "--model", model, "--index", all, "--explain", filepath.Join(dir, "none"), "red")
}
