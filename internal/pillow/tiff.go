package pillow

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
)

// TIFF's numbers of what samples mean.
const (
	whiteIsZero = 0
	blackIsZero = 1
	photoRGB    = 2
	photoIndex  = 3
	photoInks   = 5
	photoYCbCr  = 6
	photoLab    = 8
)

// Kinds of samples, and of samples beyond the colours.
const (
	sampleUnsigned = 1
	sampleSigned   = 2
	sampleFloat    = 3

	extraNone       = 0
	extraAssociated = 1
	extraAlpha      = 2
)

// tiffFile is what the first directory says of its image.
type tiffFile struct {
	*directory
	width, height int
	compression   tiffCompression
	photometric   int
	bits          int // of a sample, all alike
	samples       int // of a pixel, but for those that are ignored
	stored        int // with those
	format        int // kind of sample
	extra         []int
	planar        bool // one plane of samples after the other
	reversed      bool // the first pixel of a byte is in the lowest bit
	predictor     int

	tiled         bool
	across, down  int // pixels of a strip or tile
	offsets, size tag // of each
}

// readTIFF reads the first image. It applies the orientation, because Pillow
// does so for TIFF alone.
func readTIFF(src *file) (image.Image, error) {
	t, err := parseTIFF(src.data)
	if (err != nil || t.compression == tiffOldJPEG) && isRaw(src.data) {
		return nil, &foreignRaw
	}
	if err != nil {
		return nil, err
	}
	if err := src.check(t.width, t.height); err != nil {
		return nil, err
	}
	if err := t.checkChunks(); err != nil {
		return nil, err
	}
	l, err := t.layout()
	if err != nil {
		return nil, err
	}
	if err := t.couldHold(l, src); err != nil {
		return nil, err
	}
	target := l.target(t)
	target.forgiving = src.truncated
	put := target.put
	target.put = func(plane, y, x int, row []byte, n int) {
		src.live()
		put(plane, y, x, row, n)
	}
	if t.compression == tiffRaw {
		err = t.readRaw(l, target)
	} else {
		err = t.readPacked(l, target)
	}
	if !src.forgives(err) {
		return nil, err
	}
	o, ok := t.number(tagOrientation)
	if !ok {
		o = xmpOrientation(t.tags[tagXMP].raw)
	}
	if o != math.Trunc(o) {
		o = 1
	}
	return Orient(target.finish(), int(min(max(o, 0), 9))), nil
}

// isRaw tells the raw files of cameras that are TIFFs apart from others: Canon's, Adobe's and
// those that name the camera and have their images in directories of their own. Where the first
// directory has an image that can be read, small mostly, it is, as Pillow does.
func isRaw(data []byte) bool {
	const subDirectories, maker, dngVersion = 330, 271, 50706
	d := readDirectory(data, 0)
	if d == nil {
		return false
	}
	return len(data) > 10 && string(data[8:10]) == "CR" || d.tags[dngVersion].count > 0 || d.tags[maker].count > 0 && d.tags[subDirectories].count > 0
}

func parseTIFF(data []byte) (*tiffFile, error) {
	d := readDirectory(data, 0)
	if d == nil {
		return nil, errors.New("no image file directory")
	}
	t := &tiffFile{
		directory: d, width: d.value(tagWidth, 0), height: d.value(tagHeight, 0),
		compression: tiffCompression(d.value(tagCompression, 1)), photometric: d.value(tagPhotometric, 0),
		planar: d.value(tagPlanar, 1) == 2, reversed: d.value(tagFillOrder, 1) == 2, predictor: d.value(tagPredictor, 1),
	}
	if err := t.parseSamples(); err != nil {
		return nil, err
	}
	t.offsets, t.size = d.tags[tagStripOffsets], d.tags[tagStripByteCounts]
	t.across, t.down = t.width, min(d.value(tagRowsPerStrip, t.height), t.height)
	if t.offsets.count == 0 {
		t.tiled = true
		t.offsets, t.size = d.tags[tagTileOffsets], d.tags[tagTileByteCounts]
		t.across, t.down = d.value(tagTileWidth, 0), d.value(tagTileHeight, 0)
	}
	if t.offsets.count == 0 {
		return nil, errors.New("no strips and no tiles")
	}
	return t, nil
}

// maxSamples is the most samples of a pixel that Pillow reads.
const maxSamples = 6

// parseSamples finds out how pixels are made of samples.
func (t *tiffFile) parseSamples() error {
	ints := func(id uint16, otherwise ...int) []int {
		v := t.tags[id]
		if v.count == 0 {
			return otherwise
		}
		var out []int
		for i := range min(v.count, 64) {
			out = append(out, int(min(max(v.at(i), 0), math.MaxInt32)))
		}
		return out
	}
	bits, formats := ints(tagBits, 1), ints(tagSampleFormat, sampleUnsigned)
	t.extra = ints(tagExtraSamples)
	t.samples = t.value(tagSamples, 1)
	t.stored = t.samples
	if t.planar && len(t.extra) > 0 && slices.Max(t.extra) == 0 {
		// Planes of nothing are not read at all.
		bits = bits[:max(len(bits)-len(t.extra), 0)]
		t.samples -= len(t.extra)
		t.extra = nil
	}
	if t.samples < 1 || t.samples > maxSamples || len(bits) == 0 {
		return fmt.Errorf("%d samples a pixel, want 1 to %d", t.samples, maxSamples)
	}
	if len(bits) > t.samples {
		bits = bits[:t.samples]
	}
	if len(bits) < t.samples && len(bits) > 1 || slices.Min(bits) != slices.Max(bits) {
		return fmt.Errorf("%d samples of %d bits", t.samples, bits)
	}
	if slices.Min(formats) != slices.Max(formats) {
		return fmt.Errorf("samples of formats %d", formats)
	}
	t.bits, t.format = bits[0], formats[0]
	return nil
}

// checkChunks refuses strips and tiles that are much larger than the image, which
// would have to be decoded.
func (t *tiffFile) checkChunks() error {
	if t.across < 1 || t.down < 1 {
		return fmt.Errorf("strips or tiles of %d×%d pixels", t.across, t.down)
	}
	columns, rows := t.chunks()
	covered := float64(columns) * float64(t.across) * float64(rows) * float64(t.down)
	if most := 4*float64(t.width)*float64(t.height) + 1<<24; covered > most {
		return fmt.Errorf("tiles of %d×%d pixels for an image of %d×%d", t.across, t.down, t.width, t.height)
	}
	return nil
}

// chunks returns how many strips or tiles a plane has.
func (t *tiffFile) chunks() (columns, rows int) {
	return (t.width-1)/t.across + 1, (t.height-1)/t.down + 1
}

// couldHold refuses a file that is too small for its image.
func (t *tiffFile) couldHold(l *tiffLayout, src *file) error {
	if src.truncated || int64(t.width)*int64(t.height) <= cheapPixels {
		return nil
	}
	raw := float64(t.width) * float64(t.height) * float64(l.bits) / 8
	if t.planar && t.compression == tiffRaw && t.samples > 1 {
		raw /= float64(t.samples) // planes may lie on each other
	}
	if most := t.compression.ratio() * float64(len(t.data)); raw/2 > most {
		return fmt.Errorf("%d bytes cannot hold %d×%d pixels", len(t.data), t.width, t.height)
	}
	return nil
}
