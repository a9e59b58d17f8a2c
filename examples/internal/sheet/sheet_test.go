package sheet

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// flatPicture returns an image of one colour.
func flatImage(w, h int, c color.Color) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
		}
	}
	return img
}

// busy returns a sheet that uses everything, with n cells in a row.
func busy(n int) *Sheet {
	s := New("A title — with \u2067odd\u2069 text\nÀÉÎõü Ẫ g̈")
	for _, heading := range []string{"", "“a query”", strings.Repeat("very long heading ", 50)} {
		r := s.Row(heading)
		for i := range n {
			r.Add(Cell{
				Image:   flatImage(32, 32+i, color.RGBA{200, 100, 0, 255}),
				Verdict: Verdict(i % 3),
				Caption: strings.Repeat("jumping ", i),
				Note:    strings.Repeat("note", i),
				Bars: []Bar{
					{Label: strings.Repeat("label", i), Value: float64(i) / 9},
					{Value: math.NaN()}, {Value: math.Inf(1), True: true}, {Value: -3},
					{Label: "score", Text: strings.Repeat("12", 2*i)},
				},
			})
		}
	}
	s.Footer("known combinations: 99.1 %", "", strings.Repeat("footer ", 100))
	return s
}

func planOf(t *testing.T, s *Sheet) plan {
	t.Helper()
	f, err := newFonts()
	if err != nil {
		t.Fatal(err)
	}
	return f.layout(s)
}

func TestNothingOverlaps(t *testing.T) {
	for _, n := range []int{0, 1, 5, 8, 9, 20} {
		p := planOf(t, busy(n))
		inside := image.Rectangle{Max: p.size}.Inset(margin)
		for i, a := range p.items {
			if a.box.Empty() || !a.box.In(inside) {
				t.Errorf("%d cells: item %d has box %v, want one inside %v", n, i, a.box, inside)
			}
			for j, b := range p.items[:i] {
				if a.box.Overlaps(b.box) {
					t.Errorf("%d cells: items %d and %d overlap: %v, %v", n, j, i, b.box, a.box)
				}
			}
		}
	}
}

// TestTextIsNotClipped draws each item on a ground that is larger than its box: a
// caption that was cut too late would leave it at the right.
func TestTextIsNotClipped(t *testing.T) {
	for _, it := range planOf(t, busy(9)).items {
		wide := image.NewRGBA(image.Rect(it.box.Min.X, it.box.Min.Y, it.box.Max.X+200, it.box.Max.Y))
		if it.box.Dx() == it.box.Dy() || it.box.Dy() <= barHeight {
			continue // an image, a bar or a rule fills its box
		}
		it.draw(wide)
		for x := it.box.Max.X + 1; x < wide.Rect.Max.X; x++ {
			for y := wide.Rect.Min.Y; y < wide.Rect.Max.Y; y++ {
				if wide.RGBAAt(x, y).A != 0 {
					t.Fatalf("box %v has ink at (%d, %d)", it.box, x, y)
				}
			}
		}
	}
}

func TestSizeGrowsWithCells(t *testing.T) {
	last := image.Point{}
	for n := 1; n <= 8; n++ {
		s := New("t")
		for range n {
			s.Row("").Add(make([]Cell, n)...)
		}
		size := planOf(t, s).size
		if size.X <= last.X || size.Y <= last.Y {
			t.Errorf("%d × %d cells: size %v, want both sides larger than %v", n, n, size, last)
		}
		last = size
	}
}

func TestRowsAreDividedEvenly(t *testing.T) {
	for _, c := range []struct{ columns, cells, want int }{
		{0, 0, 1}, {0, 1, 1}, {0, 8, 8}, {0, 9, 5}, {0, 12, 6}, {5, 11, 4}, {1, 7, 1}, {-2, 3, 3},
	} {
		s := New("")
		s.Columns = c.columns
		s.Row("").Add(make([]Cell, c.cells)...)
		if got := s.columns(); got != c.want {
			t.Errorf("Columns %d, %d cells: %d side by side, want %d", c.columns, c.cells, got, c.want)
		}
	}
}

// pictureOf draws one cell's image without frame and mark.
func imageOf(img image.Image, side int) *image.RGBA {
	dst := image.NewRGBA(image.Rect(7, 9, 7+side, 9+side))
	fill(dst, dst.Rect, ground)
	drawScaled(dst, &Cell{Image: img})
	return dst
}

func TestSmallImagesAreEnlargedByAWholeFactor(t *testing.T) {
	img := image.NewGray(image.Rect(-3, 5, 29, 37)) // 32 × 32, not at the origin
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 37)
	}
	s := New("")
	s.Row("").Add(Cell{Image: img})
	side := imageSide(s)
	if side != 160 {
		t.Fatalf("side %d, want 160", side)
	}
	got := imageOf(img, side)
	for y := range side {
		for x := range side {
			want := img.GrayAt(x/5-3, y/5+5).Y
			if c := got.RGBAAt(x+7, y+9); c != (color.RGBA{want, want, want, 255}) {
				t.Fatalf("pixel (%d, %d) is %v, want grey %d", x, y, c, want)
			}
		}
	}
}

// endless is an image with huge bounds that counts how often it is read.
type endless struct {
	size  int
	reads *int
}

func (e endless) ColorModel() color.Model { return color.RGBAModel }
func (e endless) Bounds() image.Rectangle { return image.Rect(0, 0, e.size, e.size) }
func (e endless) At(x, y int) color.Color { *e.reads++; return color.RGBA{1, 2, 3, 255} }

func TestImagesOfAnySize(t *testing.T) {
	orange := color.RGBA{200, 100, 0, 255}
	for _, c := range []struct {
		name string
		img  image.Image
		want image.Rectangle // of the image within the box of 160
	}{
		{"1 × 1", flatImage(1, 1, orange), image.Rect(0, 0, 160, 160)},
		{"63 × 1", flatImage(63, 1, orange), image.Rect(17, 79, 143, 81)},
		{"1 × 3000", flatImage(1, 3000, orange), image.Rect(79, 0, 80, 160)},
		{"5000 × 2500", flatImage(5000, 2500, orange), image.Rect(0, 40, 160, 120)},
		{"320 × 160", flatImage(320, 160, orange), image.Rect(0, 40, 160, 120)},
	} {
		got := imageOf(c.img, 160)
		for y := range 160 {
			for x := range 160 {
				want := ground
				if image.Pt(x, y).In(c.want) {
					want = orange
				}
				if px := got.RGBAAt(x+7, y+9); px != want {
					t.Fatalf("%s: pixel (%d, %d) is %v, want %v", c.name, x, y, px, want)
				}
			}
		}
	}
	reads := 0
	imageOf(endless{1 << 30, &reads}, 160)
	if reads == 0 || reads > 4*160*160 {
		t.Errorf("a picture of 2^30 × 2^30 is read %d times, want 1 to %d", reads, 4*160*160)
	}
	for _, img := range []image.Image{nil, image.NewRGBA(image.Rectangle{})} {
		if got := imageOf(img, 160); got.RGBAAt(7+80, 9+80) == ground {
			t.Errorf("the middle of a missing image (%T) is empty, want a cross", img)
		}
	}
}

func TestVerdictIsSeen(t *testing.T) {
	for v, want := range map[Verdict]color.RGBA{Unjudged: rule, Right: green, Wrong: red} {
		dst := image.NewRGBA(image.Rect(0, 0, 168, 168))
		drawImage(dst, &Cell{Verdict: v})
		if got := dst.RGBAAt(84, 0); got != want {
			t.Errorf("verdict %d: the frame is %v, want %v", v, got, want)
		}
	}
}

func TestBarLengthIsItsValue(t *testing.T) {
	for _, v := range []float64{math.NaN(), -1, 0, 0.25, 0.5, 1, 7, math.Inf(1)} {
		dst := image.NewRGBA(image.Rect(0, 0, 200, barHeight))
		drawBar(dst, &Cell{Bars: []Bar{{Value: v}}}, 0)
		got := 0
		for x := range 200 {
			if dst.RGBAAt(x, barHeight/2) == slate {
				got++
			}
		}
		want := 200 * min(max(v, 0), 1)
		if math.IsNaN(v) {
			want = 0
		}
		// The round ends may take a pixel each.
		if diff := math.Abs(float64(got) - want); !(diff <= 2) {
			t.Errorf("value %g: %d pixels long, want %g ± 2", v, got, want)
		}
	}
}

func TestTextIsCut(t *testing.T) {
	f, err := newFonts()
	if err != nil {
		t.Fatal(err)
	}
	long := "Donaudampfschifffahrt"
	for _, c := range []struct {
		name, text string
		lines      int
		want       []string
	}{
		{"empty", " \n\t", 2, nil},
		{"short", "a  red\x00\ncircle", 2, []string{"a red circle"}},
		{"two lines", "a small red circle on a dark ground", 2, []string{"a small red circle on a", "dark ground"}},
		{"cut", "a small red circle on a dark ground and much more", 2, []string{"a small red circle on a", "dark ground and much…"}},
		{"one line", "a small red circle on a dark ground", 1, []string{"a small red circle on a…"}},
		{"one word", long + long, 2, []string{"Donaudampfschifffahr…"}},
		{"not UTF-8", "a\xffb", 1, []string{"a\ufffdb"}},
	} {
		got := f.caption.wrap(c.text, 160, c.lines)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := f.caption.cut("text", 3); got != "" {
		t.Errorf("text cut to 3 pixels is %q, want nothing", got)
	}
	huge := strings.Repeat("word", 1<<20)
	if got := f.caption.cut(huge, 160); len(got) > 40 {
		t.Errorf("a text of 4 MiB is cut to %d bytes, want at most 40", len(got))
	}
}

func TestTooLargeASheetIsRefused(t *testing.T) {
	s := New("t")
	s.Row("").Add(make([]Cell, 20000)...)
	if _, err := s.Image(); err == nil || !strings.Contains(err.Error(), "sheet: the image would be") {
		t.Errorf("20000 cells: error %v, want one about the size", err)
	}
}

func TestWritePNG(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.png")
	for n := range 2 { // the second replaces the first
		s := busy(n + 1)
		if err := s.WritePNG(path); err != nil {
			t.Fatal(err)
		}
		r, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Image()
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds() != want.Rect {
			t.Errorf("the file has bounds %v, want %v", img.Bounds(), want.Rect)
		}
		for i := range 500 {
			x, y := i*31%want.Rect.Dx(), i*17%want.Rect.Dy()
			if got := color.RGBAModel.Convert(img.At(x, y)); got != want.RGBAAt(x, y) {
				t.Fatalf("pixel (%d, %d) in the file is %v, want %v", x, y, got, want.RGBAAt(x, y))
			}
		}
	}
	if err := busy(1).WritePNG(filepath.Join(dir, "none", "s.png")); err == nil {
		t.Error("writing into a folder that does not exist: no error")
	}
	if err := os.Mkdir(filepath.Join(dir, "d.png"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := busy(1).WritePNG(filepath.Join(dir, "d.png")); err == nil {
		t.Error("writing over a folder: no error")
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(files); len(files) != 2 {
		t.Errorf("left behind: %s, want d.png and s.png only", got)
	}
}
