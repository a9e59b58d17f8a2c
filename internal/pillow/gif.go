package pillow

import (
	"bytes"
	"compress/lzw"
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
	table       []byte // 3 bytes a colour
	transparent int    // index, or -1
	interlaced  bool
	litWidth    int
	data        []byte // sub-blocks of the LZW stream
}

// readGIF returns the first frame laid on the logical screen, as Pillow does:
// what the frame leaves free is of the transparent index, or of index 0, and
// the screen grows where the frame reaches beyond it.
func readGIF(data []byte, check checkSize) (image.Image, error) {
	f, err := parseGIF(data)
	if err != nil {
		return nil, err
	}
	size := image.Pt(max(f.screen.X, f.rect.Max.X), max(f.screen.Y, f.rect.Max.Y))
	if err := check(size.X, size.Y); err != nil {
		return nil, err
	}
	img := image.NewPaletted(image.Rectangle{Max: size}, f.palette())
	if f.transparent >= 0 {
		for i := range img.Pix {
			img.Pix[i] = uint8(f.transparent)
		}
	}
	if err := f.pixels(img); err != nil {
		return nil, err
	}
	if gray, ok := grayRamp(img).(*image.Gray); ok && f.transparent >= 0 {
		return &Keyed{Image: img, Opaque: gray}, nil
	}
	return grayRamp(img), nil
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
		f.table = r.take(3 << (head[10]&7 + 1))
	}
	for {
		switch kind := r.take(1); {
		case kind == nil || kind[0] == ';':
			return nil, errors.New("no frame")
		case kind[0] == '!':
			label := r.take(1)
			block := r.block()
			if label != nil && label[0] == 0xf9 && len(block) >= 4 {
				f.transparent = -1
				if block[0]&1 != 0 {
					f.transparent = int(block[3])
				}
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
		f.table = r.take(3 << (d[8]&7 + 1))
	}
	width := r.take(1)
	if width == nil {
		return io.ErrUnexpectedEOF
	}
	if f.litWidth = int(width[0]); f.litWidth < 2 || f.litWidth > 8 {
		return fmt.Errorf("LZW codes start at %d bits, want 2 to 8", f.litWidth)
	}
	f.data = r.data
	return nil
}

// palette returns the frame's colours; a file without a table is grey.
func (f *gifFrame) palette() color.Palette {
	p := make(color.Palette, len(f.table)/3)
	for i := range p {
		p[i] = color.NRGBA{f.table[3*i], f.table[3*i+1], f.table[3*i+2], 255}
	}
	p = fullPalette(p)
	if f.transparent >= 0 {
		c := p[f.transparent].(color.NRGBA)
		c.A = 0
		p[f.transparent] = c
	}
	return p
}

// pixels decodes the frame into its place in img. A stream that ends early, but
// in order, leaves the rest as it is.
func (f *gifFrame) pixels(img *image.Paletted) error {
	lz := lzw.NewReader(&gifBlocks{r: gifReader{data: f.data}}, lzw.LSB, f.litWidth)
	defer lz.Close()
	width, height := f.rect.Dx(), f.rect.Dy()
	if width == 0 {
		return nil
	}
	row := make([]byte, width)
	for i := range height {
		n, err := io.ReadFull(lz, row)
		y := f.rect.Min.Y + i
		if f.interlaced {
			y = f.rect.Min.Y + deinterlace(i, height)
		}
		copy(img.Pix[img.PixOffset(f.rect.Min.X, y):], row[:n])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("row %d of %d: %w", i, height, err)
		}
	}
	return nil
}

// deinterlace returns the place of the i-th row that an interlaced frame stores.
func deinterlace(i, height int) int {
	for _, pass := range [4]struct{ start, step int }{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		rows := (height - pass.start + pass.step - 1) / pass.step
		if i < rows {
			return pass.start + i*pass.step
		}
		i -= max(rows, 0)
	}
	return height - 1
}

// grayRamp returns img as grey where its palette is the identity, as Pillow
// does for GIF and BMP; it then resizes smoothly.
func grayRamp(img *image.Paletted) image.Image {
	if len(img.Palette) != 256 {
		return img
	}
	for i, c := range img.Palette {
		if c, ok := c.(color.NRGBA); !ok || int(c.R) != i || c.G != c.R || c.B != c.R {
			return img
		}
	}
	return &image.Gray{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}
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

// gifBlocks joins a chain of sub-blocks to a stream.
type gifBlocks struct {
	r       gifReader
	current bytes.Reader
}

func (b *gifBlocks) ReadByte() (byte, error) {
	for b.current.Len() == 0 {
		block := b.r.block()
		if len(block) == 0 {
			return 0, io.EOF
		}
		b.current.Reset(block)
	}
	return b.current.ReadByte()
}

func (b *gifBlocks) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := b.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}
