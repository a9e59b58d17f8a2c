package command

import (
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/explain"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/output"
)

// explainFlags ask for maps of what in an image fits its label.
type explainFlags struct {
	Explain   string         `placeholder:"DIR" help:"Write a PNG for each image: a heat map over it of what speaks for its first label, against the mean of all labels."`
	ExplainBy explain.Method `default:"gradients" help:"How maps are made: gradients, gradient-weighted attention, or patches, each patch's own similarity."`
}

const mapEnding = ".explain.png"

// free refuses a folder that holds anything but maps.
func (f *explainFlags) free() error {
	if f.Explain == "" {
		return nil
	}
	return output.Free(f.Explain, output.Kind{Name: "a folder of maps alone", Folder: true, Is: func(path string) bool {
		entries, err := os.ReadDir(path)
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), mapEnding) {
				return false
			}
		}
		return err == nil
	}}, true)
}

// draw writes the map of image number i for a label of the classifier, and returns its file.
func (f *explainFlags) draw(s *session, m *encoder.Model, c *encoder.Classifier, i int, file string, img image.Image, label int) (string, error) {
	if f.Explain == "" {
		return "", nil
	}
	rows := c.Embeddings()
	target := append([]float32(nil), rows.Row(label)...)
	if rows.N > 1 {
		for other := range rows.N {
			for j, v := range rows.Row(other) {
				target[j] -= v / float32(rows.N)
			}
		}
	}
	made, err := explain.Vector(s, m, img, target, f.ExplainBy)
	if err != nil {
		return "", err
	}
	return writeMap(f.Explain, i+1, file, made, img)
}

// writeMap writes a map over its image to a folder, as number n, and returns the file.
func writeMap(dir string, n int, file string, made *explain.Map, img image.Image) (string, error) {
	over, err := made.Overlay(img)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	out := filepath.Join(dir, mapName(n, file))
	return out, journal.WriteFile(out, func(w io.Writer) error { return png.Encode(w, over) })
}

// legible leaves nothing in a name that a terminal takes for more than a letter.
func legible(r rune) rune {
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return '_'
	}
	return r
}

// mapName is the file of the map of image number n: its number, so that images of one name
// are told apart, and what its own name begins with.
func mapName(n int, file string) string {
	stem := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if file == standardInput {
		stem = "stdin"
	}
	return fmt.Sprintf("%d-%.60s%s", n, strings.Map(legible, stem), mapEnding)
}
