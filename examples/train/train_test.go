package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/vision"
)

// output runs f and returns what it wrote to standard output and error.
func output(t *testing.T, f func() error) (string, error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	check(t, err)
	defer file.Close()
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = file, file
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	failed := f()
	text, err := os.ReadFile(file.Name())
	check(t, err)
	return string(text), failed
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)^" + p + "$").MatchString(text) {
			t.Errorf("no line like %s in\n%s", p, text)
		}
	}
}

// written checks the model's folder and the sheet beside it.
func written(t *testing.T, out string) {
	t.Helper()
	m, err := encoder.Load(out, nil)
	check(t, err)
	e, err := m.EncodeTexts(context.Background(), "a red circle")
	check(t, err)
	if e.N != 1 || e.Dim != m.Config().Text.Dims().EmbedDim {
		t.Errorf("an embedding of %d×%d", e.N, e.Dim)
	}
	check(t, m.Close())
	f, err := os.Open(out + ".png")
	check(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	check(t, err)
	if b := img.Bounds(); b.Dx() < 200 || b.Dy() < 100 {
		t.Errorf("the sheet has %v pixels", b.Size())
	}
}

// tree writes n images for each of four classes and returns the folder.
func tree(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for name, c := range map[string]color.RGBA{"red": {200, 0, 0, 255}, "green": {0, 200, 0, 255}, "blue": {0, 0, 200, 255}, "grey": {90, 90, 90, 255}} {
		check(t, os.Mkdir(filepath.Join(dir, name), 0o777))
		for i := range n {
			img := image.NewRGBA(image.Rect(0, 0, 8, 8))
			for j := range 64 {
				img.SetRGBA(j%8, j/8, color.RGBA{c.R + uint8(i), c.G + uint8(j%8), c.B + uint8(j/8), 255})
			}
			f, err := os.Create(filepath.Join(dir, name, fmt.Sprint(i, ".png")))
			check(t, err)
			check(t, png.Encode(f, img))
			check(t, f.Close())
		}
	}
	return dir
}

// TestDrawn is the program without arguments, cut short, and what one does with
// its model.
func TestDrawn(t *testing.T) {
	out := filepath.Join(t.TempDir(), "toy")
	text, err := output(t, func() error { return run(context.Background(), "", "", 3, 0.5, false, 1, out, "") })
	check(t, err)
	wants(t, text, `step 3/3 .*`, "model: "+regexp.QuoteMeta(out), "sheet: "+regexp.QuoteMeta(out+".png"),
		`known combinations: \d+\.\d %`, `unseen combinations: \d+\.\d %`,
		`two figures: \d+\.\d % the right one of four relations, \d+\.\d % the right caption among its rivals`)
	written(t, out)
	if testing.Short() {
		t.Skip("builds two programs")
	}
	for _, args := range [][]string{{"zeroshot"}, {"search", "-k", "2"}, {"explain", "-scenes", "2"}} {
		page := filepath.Join(t.TempDir(), "sheet.png")
		cmd := exec.Command("go", append([]string{"run", "../" + args[0], "-model", out, "-out", page}, args[1:]...)...)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, said)
		}
		wants(t, string(said), "sheet: "+regexp.QuoteMeta(page))
		_, err = os.Stat(page)
		check(t, err)
	}
}

// TestFine: the model of smaller patches is saved with a class token.
func TestFine(t *testing.T) {
	out := filepath.Join(t.TempDir(), "toy")
	_, err := output(t, func() error { return run(context.Background(), "", "", 2, 0.5, true, 1, out, "") })
	check(t, err)
	m, err := encoder.Load(out, nil)
	check(t, err)
	defer m.Close()
	if c := m.Config().Vision.(vision.ViT); c.PatchSize != 4 || c.Pool != vision.PoolClass {
		t.Errorf("the image tower is %+v", c)
	}
}

// TestClassFolders trains on images in folders, one of which is none.
func TestClassFolders(t *testing.T) {
	data, test := tree(t, 33), tree(t, 3)
	check(t, os.WriteFile(filepath.Join(data, "red", "99.png"), []byte("404"), 0o666))
	out := filepath.Join(t.TempDir(), "toy")
	text, err := output(t, func() error { return run(context.Background(), data, test, 3, 0, false, 1, out, "") })
	check(t, err)
	wants(t, text, `left out: .*red/99\.png: .*not an image.*`, `  red +\d+\.\d % of 3`, `  grey +\d+\.\d % of 3`, `test set: \d+\.\d %`)
	written(t, out)
}

// TestTable trains on a CSV with captions.
func TestTable(t *testing.T) {
	table := func(dir string, n int) string {
		var b strings.Builder
		b.WriteString("image,caption\n")
		for i := range n {
			for _, c := range []string{"red", "green", "blue", "grey"} {
				fmt.Fprintf(&b, "%s/%d.png,number %d of the %s ones\n%[1]s/%[2]d.png,something %[1]s\n", c, i, i, c)
			}
		}
		path := filepath.Join(dir, "set.csv")
		check(t, os.WriteFile(path, []byte(b.String()), 0o666))
		return path
	}
	data, test := table(tree(t, 33), 33), table(tree(t, 3), 3)
	out := filepath.Join(t.TempDir(), "toy")
	text, err := output(t, func() error { return run(context.Background(), data, test, 2, 0, false, 1, out, "") })
	check(t, err)
	wants(t, text, `test set: 12 images, 24 captions; recall@1/5/10 image to text [\d./]+ %, text to image [\d./]+ %`)
	written(t, out)
}

// canceled is a context that ends when it has been asked often enough whether
// it has.
type canceled struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func (c *canceled) Err() error {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// TestInterrupt: a training that is stopped halfway saves and reports.
func TestInterrupt(t *testing.T) {
	data, test := tree(t, 33), tree(t, 2)
	out := filepath.Join(t.TempDir(), "toy")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &canceled{Context: ctx, cancel: cancel}
	c.left.Store(150) // once a sample for the tokenizer, then once a step
	text, err := output(t, func() error { return run(c, data, test, 1<<30, 0, false, 1, out, "") })
	check(t, err)
	wants(t, text, `interrupted after [1-9]\d* steps`, "model: "+regexp.QuoteMeta(out), `test set: \d+\.\d %`)
	written(t, out)
}

func TestRefuses(t *testing.T) {
	few := tree(t, 2)
	out := filepath.Join(t.TempDir(), "toy")
	for _, c := range []struct {
		data, test string
		steps      int
		relations  float64
		want       string
	}{
		{"", "", -1, 0, "-steps -1, want 0 or more"},
		{"", "", 1, 2, "Relations 2, want 0 to 1"},
		{few, "", 1, 0.5, "-relations is of the drawn set"},
		{filepath.Join(few, "gone"), "", 1, 0, "no such file"},
		{few, filepath.Join(few, "gone"), 1, 0, "no such file"},
		{few, "", 1, 0, "a batch of 128, but the set has only 8 samples"},
	} {
		_, err := output(t, func() error {
			return run(context.Background(), c.data, c.test, c.steps, c.relations, false, 1, out, "")
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %s", err, c.want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a model was saved")
	}
}
