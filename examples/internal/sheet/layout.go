package sheet

import "image"

// Distances in pixels.
const (
	margin     = 32 // around the sheet
	border     = 4  // of a cell's frame
	columnGap  = 22
	lineGap    = 24  // below a line of cells
	textGap    = 6   // between an image and its text, and between bars
	barHeight  = 5   // of a bar without its label
	boxSide    = 160 // about the side of an image
	small      = 64  // images up to this side are enlarged pixel by pixel
	widestText = 900 // a title or footer makes a sheet no wider than this
)

// A plan says where everything stands. The boxes of its items do not overlap.
type plan struct {
	size  image.Point
	items []item
}

type item struct {
	box  image.Rectangle
	draw func(dst *image.RGBA) // dst's bounds are box
}

func (p *plan) add(box image.Rectangle, draw func(dst *image.RGBA)) {
	p.items = append(p.items, item{box, draw})
}

// line adds a line of text that stands at (x, y), and returns the y below it.
func (p *plan) line(s style, text string, x, y, width int) int {
	p.add(image.Rect(x, y, x+width, y+s.height()), func(dst *image.RGBA) { s.left(dst, text) })
	return y + s.height()
}

// layout places a sheet from top to bottom.
func (f *fonts) layout(s *Sheet) plan {
	side := imageSide(s)
	columns := s.columns()
	width := f.width(s, columns, side+2*border)
	var p plan
	y := margin
	for _, text := range f.title.wrap(s.title, width, 2) {
		y = p.line(f.title, text, margin, y, width)
	}
	for _, r := range s.rows {
		y += lineGap
		for _, text := range f.heading.wrap(r.heading, width, 2) {
			y = p.line(f.heading, text, margin, y, width)
		}
		if r.heading != "" {
			y += textGap + 4
		}
		for start := 0; start < len(r.cells); start += columns {
			if start > 0 {
				y += lineGap
			}
			y = f.cells(&p, r.cells[start:min(start+columns, len(r.cells))], y, side)
		}
	}
	if len(s.footer) > 0 {
		y += lineGap
		p.add(image.Rect(margin, y, margin+width, y+1), func(dst *image.RGBA) { fill(dst, dst.Rect, rule) })
		y += lineGap/2 + 1
	}
	for _, text := range s.footer {
		y = p.line(f.footer, f.footer.cut(text, width), margin, y, width) + 2
	}
	p.size = image.Pt(width+2*margin, y+margin)
	return p
}

// cells places one line of cells below y and returns the y below the tallest.
func (f *fonts) cells(p *plan, cells []Cell, y, side int) int {
	bottom := y
	outer := side + 2*border
	for i := range cells {
		c := &cells[i]
		x := margin + i*(outer+columnGap)
		p.add(image.Rect(x, y, x+outer, y+outer), func(dst *image.RGBA) { drawImage(dst, c) })
		cy := y + outer + textGap
		for _, text := range f.caption.wrap(c.Caption, outer, 2) {
			cy = p.line(f.caption, text, x, cy, outer)
		}
		if note := f.note.cut(c.Note, outer); note != "" {
			cy = p.line(f.note, note, x, cy, outer)
		}
		for j := range c.Bars {
			if j > 0 || c.Caption != "" || c.Note != "" {
				cy += textGap
			}
			cy = f.bar(p, c, j, image.Pt(x, cy), outer)
		}
		bottom = max(bottom, cy)
	}
	return bottom
}

// bar places a bar below its label and number, and returns the y below it.
func (f *fonts) bar(p *plan, c *Cell, i int, at image.Point, width int) int {
	b := &c.Bars[i]
	number := f.label.cut(b.text(), width)
	room := f.label.width(number)
	y := at.Y
	if label := f.label.cut(b.Label, width-room-textGap); label != "" {
		p.line(f.label, label, at.X, y, width-room-textGap)
	}
	y = p.line(f.label, number, at.X+width-room, y, room) + 1
	p.add(image.Rect(at.X, y, at.X+width, y+barHeight), func(dst *image.RGBA) { drawBar(dst, c, i) })
	return y + barHeight
}

// columns returns how many cells the widest line has, at least one. A row that
// needs several lines is divided evenly, as 12 into 6 and 6 rather than 8 and 4.
func (s *Sheet) columns() int {
	limit := s.Columns
	if limit <= 0 {
		limit = 8
	}
	n := 1
	for _, r := range s.rows {
		lines := max(1, divideUp(len(r.cells), limit))
		n = max(n, divideUp(len(r.cells), lines))
	}
	return n
}

func divideUp(a, b int) int { return (a + b - 1) / b }

// width returns the width between the margins: that of the columns, or more
// where a title or a footer needs it.
func (f *fonts) width(s *Sheet, columns, cell int) int {
	text := f.title.width(s.title)
	for _, l := range s.footer {
		text = max(text, f.footer.width(l))
	}
	for _, r := range s.rows {
		text = max(text, f.heading.width(r.heading))
	}
	return max(columns*(cell+columnGap)-columnGap, min(text, widestText))
}

// pictureSide returns the side of the square that images are drawn into. When
// all are small it is a multiple of the largest, so that whole pixels fill it.
func imageSide(s *Sheet) int {
	largest := 0
	for _, r := range s.rows {
		for i := range r.cells {
			if size, ok := r.cells[i].size(); ok {
				largest = max(largest, size.X, size.Y)
			}
		}
	}
	if largest == 0 || largest > small {
		return boxSide
	}
	return (boxSide + largest/2) / largest * largest
}

// size returns the size of the image, if it has one.
func (c *Cell) size() (image.Point, bool) {
	if c.Image == nil {
		return image.Point{}, false
	}
	b := c.Image.Bounds()
	return b.Size(), !b.Empty()
}
