package jpeg

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

// refined is a progressive grey image of the given size whose scans after the first refine
// all coefficients again and again. Each block's data are a few bits of a run.
func refined(width, height, scans int) []byte {
	seg := func(mark byte, body ...byte) []byte {
		head := []byte{0xff, mark, 0, 0}
		binary.BigEndian.PutUint16(head[2:], uint16(len(body)+2))
		return append(head, body...)
	}
	table := func(class byte, symbol byte) []byte { // one code, of one bit
		return seg(markDHT, append(append([]byte{class}, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), symbol)...)
	}
	out := []byte{0xff, markSOI}
	quant := make([]byte, 65)
	for i := range quant[1:] {
		quant[i+1] = 1
	}
	out = append(out, seg(markDQT, quant...)...)
	frame := []byte{8, 0, 0, 0, 0, 1, 1, 0x11, 0}
	binary.BigEndian.PutUint16(frame[1:], uint16(height))
	binary.BigEndian.PutUint16(frame[3:], uint16(width))
	out = append(out, seg(markSOF2, frame...)...)
	blocks := (width + 7) / 8 * ((height + 7) / 8)
	out = append(out, table(0x00, 0)...)
	out = append(out, seg(markSOS, 1, 1, 0x00, 0, 0, 0)...)
	out = append(out, make([]byte, blocks/8+1)...) // a bit a block
	out = append(out, table(0x10, 14<<4)...)       // a run of 16384 to 32767 blocks
	for range scans {
		out = append(out, seg(markSOS, 1, 1, 0x00, 1, 63, 1<<4)...)
		run := []byte{0x7f, 0xfe} // the code, 14 bits for the most, and a bit of the next
		for n := 0; n < blocks; n += 32767 {
			out = append(out, run...)
		}
	}
	return append(out, 0xff, markEOI)
}

// TestAffordsScans: scans that go through all coefficients again and again end a file,
// before they take more time than its pixels explain; not those of a small image.
func TestAffordsScans(t *testing.T) {
	if _, err := Decode(refined(256, 256, 150), Options{Check: anySize}); err != nil {
		t.Errorf("a small image: %v", err)
	}
	data := refined(1024, 1024, 190)
	began := time.Now()
	img, err := Decode(data, Options{Check: anySize})
	if err == nil || !strings.Contains(err.Error(), "go through every coefficient more than 16 times") {
		t.Errorf("%d bytes: %v, %v, want the scans refused", len(data), img, err)
	}
	t.Logf("%d bytes: %v", len(data), time.Since(began))
}

// TestRow: what is called before each row may end the decoding.
func TestRow(t *testing.T) {
	calls, end := 0, errors.New("enough")
	defer func() {
		if p := recover(); p != end || calls != 7 {
			t.Errorf("%v after %d calls, want %v after 7", p, calls, end)
		}
	}()
	_, err := Decode(refined(64, 64, 3), Options{Check: anySize, Row: func() {
		if calls++; calls == 7 {
			panic(end)
		}
	}})
	t.Error("it went on:", err)
}
