package pillow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
)

// gifFrame is what precedes the pixels of a GIF's first frame.
type gifFrame struct {
	screen      image.Point
	rect        image.Rectangle
	table       []byte // 3 bytes a colour; nil where the frame is grey
	transparent int    // index, or -1
	interlaced  bool
	litWidth    int
	data        []byte // sub-blocks of the LZW stream
}

// readGIF returns the first frame laid on the logical screen, as Pillow does:
// what the frame leaves free is of the transparent index, or of index 0, and
// the screen grows where the frame reaches beyond it.
func readGIF(src *file) (image.Image, error) {
	f, err := parseGIF(src.data)
	if err != nil {
		return nil, err
	}
	size := image.Pt(max(f.screen.X, f.rect.Max.X), max(f.screen.Y, f.rect.Max.Y))
	if err := src.check(size.X, size.Y); err != nil {
		return nil, err
	}
	c := newCanvas(modeIndexed, size.X, size.Y, f.palette())
	if f.transparent >= 0 {
		for i := range c.pix {
			c.pix[i] = uint8(f.transparent)
		}
	}
	if err := f.pixels(src, c); err != nil && !src.truncated {
		return nil, err
	}
	switch {
	case f.table != nil:
		return c.img, nil
	case f.transparent >= 0:
		return &Keyed{Image: c.img, Opaque: c.gray()}, nil
	}
	return c.gray(), nil
}

func parseGIF(data []byte) (*gifFrame, error) {
	r := gifReader{data: data}
	head := r.take(13)
	if head == nil {
		return nil, io.ErrUnexpectedEOF
	}
	f := &gifFrame{transparent: -1}
	f.screen = image.Pt(int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:])))
	if head[10]&0x80 != 0 {
		f.table = colourTable(r.take(3 << (head[10]&7 + 1)))
	}
	for {
		switch kind := r.take(1); {
		case kind == nil || kind[0] == ';':
			return nil, errors.New("no frame")
		case kind[0] == '!':
			label := r.take(1)
			block := r.block()
			if label != nil && label[0] == 0xf9 && len(block) >= 4 && block[0]&1 != 0 {
				f.transparent = int(block[3])
			}
			for len(block) > 0 {
				block = r.block()
			}
		case kind[0] == ',':
			return f, f.parse(&r)
		}
	}
}

// parse reads an image descriptor and what follows it.
func (f *gifFrame) parse(r *gifReader) error {
	d := r.take(9)
	if d == nil {
		return io.ErrUnexpectedEOF
	}
	u16 := binary.LittleEndian.Uint16
	x, y := int(u16(d)), int(u16(d[2:]))
	f.rect = image.Rect(x, y, x+int(u16(d[4:])), y+int(u16(d[6:])))
	f.interlaced = d[8]&0x40 != 0
	if d[8]&0x80 != 0 {
		// Where the frame's own table is taken for grey, Pillow shows its indices in the colours of the screen's.
		if own := colourTable(r.take(3 << (d[8]&7 + 1))); own != nil {
			f.table = own
		}
	}
	width := r.take(1)
	if width == nil {
		return io.ErrUnexpectedEOF
	}
	f.litWidth, f.data = int(width[0]), r.data
	return nil
}

// colourTable returns the table, or nil where it makes each index its own
// brightness, in which case Pillow takes the image for grey.
func colourTable(table []byte) []byte {
	for i, v := range table {
		if int(v) != i/3 {
			return table
		}
	}
	return nil
}

func (f *gifFrame) palette() color.Palette {
	p := blackPalette(f.table)
	if f.table == nil {
		p = rampPalette()
	}
	if f.transparent >= 0 {
		c := p[f.transparent].(color.NRGBA)
		c.A = 0
		p[f.transparent] = c
	}
	return p
}

// pixels decodes the frame into its place. A stream that ends early leaves the
// rest as it is.
func (f *gifFrame) pixels(src *file, c *canvas) error {
	width, height := f.rect.Dx(), f.rect.Dy()
	if width == 0 || height == 0 {
		return nil
	}
	if f.litWidth > 12 {
		return damaged(0, 1, fmt.Errorf("LZW codes start at %d bits, want at most 12", f.litWidth))
	}
	lz := newGIFCodes(f.litWidth, f.data)
	var run []byte
	for i := range height {
		src.live()
		y := f.rect.Min.Y + i
		if f.interlaced {
			y = f.rect.Min.Y + deinterlace(i, height)
		}
		row := c.row(y)[f.rect.Min.X:f.rect.Max.X]
		for len(row) > 0 {
			if len(run) == 0 {
				var err error
				if run, err = lz.next(); errors.Is(err, io.EOF) {
					return cutOff(i, height)
				} else if err != nil {
					return damaged(i, height, err)
				}
			}
			n := copy(row, run)
			row, run = row[n:], run[n:]
		}
	}
	return nil
}

// deinterlace returns the place of the i-th row that an interlaced frame stores.
func deinterlace(i, height int) int {
	for _, pass := range [4]struct{ start, step int }{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		rows := max((height-pass.start+pass.step-1)/pass.step, 0)
		if i < rows {
			return pass.start + i*pass.step
		}
		i -= rows
	}
	return height - 1
}

// gifReader takes pieces off the front of a file; nil where it has ended.
type gifReader struct{ data []byte }

func (r *gifReader) take(n int) []byte {
	if len(r.data) < n {
		r.data = nil
		return nil
	}
	piece := r.data[:n]
	r.data = r.data[n:]
	return piece
}

// block takes a sub-block; the last one of a chain is empty.
func (r *gifReader) block() []byte {
	n := r.take(1)
	if n == nil {
		return nil
	}
	return r.take(int(n[0]))
}

const gifTable = 1 << 12 // codes that there can be

// gifCodes undoes GIF's variant of LZW as Pillow does, whose codes may begin
// with more than 8 bits. The codes of strings keep the last index of the string
// and the code of those before it.
type gifCodes struct {
	r        gifReader
	block    []byte // what is left of the current one
	bits     uint32
	have     int // bits
	clear    int // code that empties the table
	width    int // of a code
	free     int // first code of no string
	last     int // code before this one, or -1
	first    uint8
	index    [gifTable]uint8
	before   [gifTable]uint16
	text     [gifTable]uint8 // strings are built from its end
	litWidth int
}

func newGIFCodes(litWidth int, data []byte) *gifCodes {
	g := &gifCodes{r: gifReader{data}, clear: 1 << litWidth, litWidth: litWidth}
	g.reset()
	return g
}

func (g *gifCodes) reset() { g.width, g.free, g.last = g.litWidth+1, g.clear+2, -1 }

// code returns the next code, or -1 at the end of the data.
func (g *gifCodes) code() int {
	for g.have < g.width {
		for len(g.block) == 0 {
			if len(g.r.data) == 0 {
				return -1
			}
			g.block = g.r.block() // an empty block ends nothing
		}
		g.bits |= uint32(g.block[0]) << g.have
		g.block = g.block[1:]
		g.have += 8
	}
	c := int(g.bits) & (1<<g.width - 1)
	g.bits >>= g.width
	g.have -= g.width
	return c
}

var errGIFCode = errors.New("a code of no string")

// next returns some indices, which are overwritten by the next call; at the end
// io.EOF.
func (g *gifCodes) next() ([]byte, error) {
	c := g.code()
	for c == g.clear {
		g.reset()
		c = g.code()
	}
	if c < 0 || c == g.clear+1 {
		return nil, io.EOF
	}
	at := len(g.text)
	if g.last < 0 {
		if c > g.clear {
			return nil, errGIFCode
		}
		g.first, g.last = uint8(c), c
		g.text[at-1] = g.first
		return g.text[at-1:], nil
	}
	this := c
	if c > g.free {
		return nil, errGIFCode
	}
	if c == g.free {
		at--
		g.text[at] = g.first
		c = g.last
	}
	for c >= g.clear {
		if at == 0 || c >= gifTable {
			return nil, errGIFCode
		}
		at--
		g.text[at] = g.index[c]
		c = int(g.before[c])
	}
	g.first = uint8(c)
	if g.free < gifTable {
		g.index[g.free], g.before[g.free] = g.first, uint16(g.last)
		if g.free == 1<<g.width-1 && g.width < 12 {
			g.width++
		}
		g.free++
	}
	g.last = this
	if at == 0 {
		return nil, errGIFCode
	}
	at--
	g.text[at] = g.first
	return g.text[at:], nil
}
