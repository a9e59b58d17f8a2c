// Package sheet draws contact sheets: rows of images with what a model said
// about them, to be looked at by people.
//
//	s := sheet.New("Zero-shot classification")
//	row := s.Row("held-out images")
//	row.Add(sheet.Cell{
//		Image: img,
//		Verdict: sheet.Right,
//		Caption: "a red circle",
//		Bars:    []sheet.Bar{{Label: "red circle", Value: 0.97, True: true}},
//	})
//	s.Footer("accuracy: 97.5 %")
//	err := s.WritePNG("sheet.png")
//
// A sheet of search results has one row for each query, with the query as its
// heading. Small images are enlarged by a whole factor, pixel by pixel; large
// ones are resampled. Texts that do not fit end in an ellipsis.
package sheet

import (
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
)

// A Sheet is a title, rows of cells and a footer. It is not safe for concurrent
// use, except that Image and WritePNG may run side by side.
type Sheet struct {
	// Columns is how many cells stand side by side; a longer row continues
	// on the next line. Zero means 8.
	Columns int

	title  string
	rows   []*Row
	footer []string
}

// New returns an empty sheet.
func New(title string) *Sheet { return &Sheet{title: title} }

// Row begins a row of cells below a heading, which may be empty.
func (s *Sheet) Row(heading string) *Row {
	r := &Row{heading: heading}
	s.rows = append(s.rows, r)
	return r
}

// Footer adds lines below the rows.
func (s *Sheet) Footer(lines ...string) { s.footer = append(s.footer, lines...) }

// A Row is a heading and the cells below it.
type Row struct {
	heading string
	cells   []Cell
}

// Add appends cells and returns the row.
func (r *Row) Add(cells ...Cell) *Row {
	r.cells = append(r.cells, cells...)
	return r
}

// A Cell is one image and what is said about it. Every field may be zero.
type Cell struct {
	Image   image.Image // nil or empty gives a crossed-out box
	Verdict Verdict     // the colour of the frame, and its mark
	Caption string      // at most two lines
	Note    string      // one grey line
	Bars    []Bar       // below each other
}

// A Verdict says how an answer turned out.
type Verdict int

const (
	Unjudged Verdict = iota
	Right            // green, with a tick
	Wrong            // red, with a cross
)

// A Bar shows a share, such as a probability, beside its label.
type Bar struct {
	Label string
	Value float64 // drawn as far as it lies in [0, 1]
	Text  string  // the number at the right; empty means Value in per cent
	True  bool    // this is the true label; its bar is green
}

func (b *Bar) text() string {
	if b.Text != "" {
		return b.Text
	}
	return fmt.Sprintf("%.1f %%", 100*b.Value)
}

// maxPixels bounds the memory of a drawn sheet: four bytes each.
const maxPixels = 1 << 26

// Image draws the sheet. It fails when the image would have more than 2^26
// pixels.
func (s *Sheet) Image() (*image.RGBA, error) {
	f, err := newFonts()
	if err != nil {
		return nil, err
	}
	p := f.layout(s)
	if p.size.X > maxPixels/max(p.size.Y, 1) {
		return nil, fmt.Errorf("sheet: the image would be %d × %d, want at most %d pixels", p.size.X, p.size.Y, maxPixels)
	}
	dst := image.NewRGBA(image.Rectangle{Max: p.size})
	fill(dst, dst.Rect, paper)
	for _, it := range p.items {
		// Nothing that an item draws leaves its box.
		it.draw(dst.SubImage(it.box).(*image.RGBA))
	}
	return dst, nil
}

// WritePNG draws the sheet into a file. The file appears, or replaces an older
// one, only when it is complete.
func (s *Sheet) WritePNG(path string) error {
	img, err := s.Image()
	if err != nil {
		return err
	}
	return WriteFile(path, func(w io.Writer) error { return png.Encode(w, img) })
}

// WriteFile writes a file of any kind. It appears, or replaces an older one, only
// when it is complete.
func WriteFile(path string, encode func(io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".sheet-*")
	if err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
			err = fmt.Errorf("sheet: writing %s: %w", path, err)
		}
	}()
	err = encode(tmp)
	if e := tmp.Chmod(0o644); err == nil {
		err = e
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
