package pillow

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// A window is how far back compressed data refer, and what a decoder takes memory for
// at once. Encoders ask for the window of their level (128 MiB for xz -9 and zstd's last)
// however short a strip is, so that what the headers say is lowered to what a strip has.
const (
	maxWindow = 1 << 27 // as zstd itself allows without being asked
	minWindow = 1 << 16
)

// windowFor returns the window, a power of two, for a strip of so many bytes.
func windowFor(strip int64) int {
	w := minWindow
	for int64(w) < strip && w < maxWindow {
		w *= 2
	}
	return w
}

// zstdReader takes its memory once.
type zstdReader struct {
	window int
	d      *zstd.Decoder
}

// begin works on this goroutine alone, since a concurrency of one means no other.
func (z *zstdReader) begin(data []byte) (_ io.Reader, err error) {
	if z.d == nil {
		// A frame in one segment has a window as large as its content.
		z.d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(2*uint64(z.window)), zstd.WithDecodeBuffersBelow(0))
		if err != nil {
			return nil, err
		}
	}
	return z.d, z.d.Reset(bytes.NewReader(z.shrink(data)))
}

// shrink lowers the window that the first frame asks for (RFC 8878, 3.1.1.1.2).
func (z *zstdReader) shrink(data []byte) []byte {
	const oneSegment, windowAt = 0x20, 5
	if len(data) <= windowAt || data[windowAt-1]&oneSegment != 0 {
		return data
	}
	exponent := 10
	for 1<<exponent < z.window {
		exponent++
	}
	asked := int64(1) << (10 + data[windowAt]>>3)
	if asked <= int64(z.window) || asked > maxWindow {
		return data
	}
	data = bytes.Clone(data)
	data[windowAt] = byte(exponent-10) << 3
	return data
}

// xzReader takes its memory once.
type xzReader struct {
	window int
	r      *xz.Reader
}

func (x *xzReader) begin(data []byte) (_ io.Reader, err error) {
	data, err = x.shrink(data)
	if err != nil {
		return nil, err
	}
	if x.r == nil {
		x.r, err = xz.NewReader(bytes.NewReader(data), uint32(x.window))
		return x.r, err
	}
	return x.r, x.r.Reset(bytes.NewReader(data))
}

// shrink lowers the dictionary that the first block asks for: a byte of the filter
// LZMA2 in the block's header, which ends with a checksum (the .xz format, 3.1 and 5.3.1).
func (x *xzReader) shrink(data []byte) ([]byte, error) {
	const stream, lzma2, sizes = 12, 0x21, 0xc0
	if len(data) <= stream || data[stream] == 0 {
		return data, nil
	}
	size := 4 * (int(data[stream]) + 1)
	if len(data) < stream+size {
		return nil, io.ErrUnexpectedEOF
	}
	head := bytes.Clone(data[stream:][:size])
	body, sum := head[:size-4], head[size-4:]
	if binary.LittleEndian.Uint32(sum) != crc32.ChecksumIEEE(body) || head[1]&sizes != 0 {
		return data, nil
	}
	filters := body[2:]
	for range head[1]&3 + 1 {
		if len(filters) < 3 || filters[1] > 127 || int(filters[1])+2 > len(filters) {
			return nil, fmt.Errorf("xz: a block's header that ends within a filter")
		}
		if filters[0] == lzma2 && filters[1] == 1 {
			for d := &filters[2]; *d > 0 && *d <= 40 && dictionary(*d-1) >= int64(x.window); {
				*d--
			}
		}
		filters = filters[2+filters[1]:]
	}
	binary.LittleEndian.PutUint32(sum, crc32.ChecksumIEEE(body))
	return append(append(bytes.Clone(data[:stream]), head...), data[stream+size:]...), nil
}

// dictionary returns the size that a byte of LZMA2's filter stands for.
func dictionary(v byte) int64 { return (2 | int64(v&1)) << (v/2 + 11) }
