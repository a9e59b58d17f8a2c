package sheet

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// fonts are the styles of a sheet. Faces keep state, so each drawing has its own.
type fonts struct {
	title, heading, caption, note, label, footer style
}

func newFonts() (*fonts, error) {
	f := new(fonts)
	for _, s := range []struct {
		style *style
		ttf   []byte
		size  float64
		ink   color.RGBA
	}{
		{&f.title, gobold.TTF, 26, ink},
		{&f.heading, gomedium.TTF, 18, ink},
		{&f.caption, gomedium.TTF, 14, ink},
		{&f.note, goregular.TTF, 13, faint},
		{&f.label, goregular.TTF, 12.5, faint},
		{&f.footer, goregular.TTF, 16, ink},
	} {
		parsed, err := opentype.Parse(s.ttf)
		if err != nil {
			return nil, fmt.Errorf("sheet: %w", err)
		}
		face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: s.size, DPI: 72})
		if err != nil {
			return nil, fmt.Errorf("sheet: %w", err)
		}
		*s.style = style{face, s.ink}
	}
	return f, nil
}

// A style is a font, its size and its colour.
type style struct {
	face font.Face
	ink  color.RGBA
}

func (s style) height() int {
	m := s.face.Metrics()
	return m.Ascent.Ceil() + m.Descent.Ceil() + 1
}

// left draws text at the left end of dst, which is one line high.
func (s style) left(dst *image.RGBA, text string) {
	d := font.Drawer{
		Dst: dst, Src: image.NewUniform(s.ink), Face: s.face,
		Dot: fixed.P(dst.Rect.Min.X, dst.Rect.Min.Y+s.face.Metrics().Ascent.Ceil()),
	}
	d.DrawString(text)
}

const ellipsis = "…"

// width returns the width of a line that holds text, as far as it matters here.
func (s style) width(text string) int {
	_, w := s.fit(flat(text), 4*widestText)
	return w.Ceil()
}

// cut returns as much of text as fits into a width, with an ellipsis where
// something is left out.
func (s style) cut(text string, width int) string {
	text = flat(text)
	n, _ := s.fit(text, width)
	if n == len(text) {
		return text
	}
	dots := s.width(ellipsis)
	if dots > width {
		return ""
	}
	n, _ = s.fit(text, width-dots)
	return strings.TrimRight(text[:n], " .,") + ellipsis
}

// wrap breaks text into lines at spaces. The last of them is cut.
func (s style) wrap(text string, width, lines int) []string {
	text = flat(text)
	var out []string
	for text != "" && len(out) < lines-1 {
		n, _ := s.fit(text, width)
		if n < len(text) && text[n] != ' ' {
			if space := strings.LastIndexByte(text[:n], ' '); space > 0 {
				n = space
			} else {
				break // a word longer than the line is cut, not broken
			}
		}
		out = append(out, strings.TrimSpace(text[:n]))
		text = strings.TrimSpace(text[n:])
	}
	if text != "" {
		out = append(out, s.cut(text, width))
	}
	return out
}

// fit returns how many bytes of text fit into a width, and their width. It reads
// no further than it must.
func (s style) fit(text string, width int) (n int, w fixed.Int26_6) {
	prev := rune(-1)
	for i, r := range text {
		next := w
		if prev >= 0 {
			next += s.face.Kern(prev, r)
		}
		advance, _ := s.face.GlyphAdvance(r)
		next += advance
		if next > fixed.I(max(width, 0)) {
			return i, w
		}
		prev, w = r, next
	}
	return len(text), w
}

// flat makes one line of text: white space and control characters become single
// spaces, invalid UTF-8 its replacement character.
func flat(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, string(utf8.RuneError)), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}
