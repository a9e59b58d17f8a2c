package jpeg

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func anySize(width, height int) error {
	if width == 0 || height == 0 {
		return errors.New("no pixels")
	}
	return nil
}

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// raster returns an image's samples as a PPM or PGM file holds them.
func raster(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out []byte
	b := img.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			switch img := img.(type) {
			case *image.Gray:
				out = append(out, img.GrayAt(x, y).Y)
			case *image.RGBA:
				c := img.RGBAAt(x, y)
				if c.A != 255 {
					t.Fatalf("alpha at %d, %d is %d, want 255", x, y, c.A)
				}
				out = append(out, c.R, c.G, c.B)
			default:
				t.Fatalf("picture of type %T", img)
			}
		}
	}
	return out
}

// TestAsLibjpeg: every pixel is the one that libjpeg-turbo decodes, for each
// sampling, coding and quality in testdata (see make.sh there).
func TestAsLibjpeg(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(testFile(t, "reference.txt")))
	n := 0
	for ; lines.Scan(); n++ {
		name, want, _ := strings.Cut(lines.Text(), " ")
		img, err := Decode(testFile(t, name), Options{Check: anySize})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sum := sha256.Sum256(raster(t, img))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: pixels hash to %s, want %s", name, got, want)
		}
	}
	if n != 13 {
		t.Errorf("%d files, want 13", n)
	}
}

// fromStandard encodes an image by image/jpeg and returns the largest difference
// between what the two decoders make of it.
func fromStandard(t *testing.T, src image.Image, quality int) int {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, src, &stdjpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	want, err := stdjpeg.Decode(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if ycc, ok := want.(*image.YCbCr); ok {
		want = RGB(ycc)
	}
	got, err := Decode(b.Bytes(), Options{Check: anySize})
	if err != nil {
		t.Fatal(err)
	}
	return largest(raster(t, got), raster(t, want))
}

// TestStandardLibrary: image/jpeg, whose inverse DCT rounds otherwise, stays
// within 3 on what it encodes itself.
func TestStandardLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, size := range []image.Point{{1, 1}, {2, 3}, {16, 16}, {17, 15}, {40, 33}, {5, 64}} {
		img := image.NewRGBA(image.Rectangle{Max: size})
		gray := image.NewGray(img.Rect)
		for y := range size.Y {
			for x := range size.X {
				img.SetRGBA(x, y, color.RGBA{uint8(6 * x), uint8(7 * y), uint8(rng.Uint32()), 255})
				gray.SetGray(x, y, color.Gray{uint8(5*x + rng.IntN(20))})
			}
		}
		for _, src := range []image.Image{img, gray} {
			for _, quality := range []int{5, 75, 100} {
				if d := fromStandard(t, src, quality); d > 3 {
					t.Errorf("%v, %T, quality %d: differs by %d, want at most 3", size, src, quality, d)
				}
			}
		}
	}
}

func largest(a, b []byte) int {
	worst := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		worst = max(worst, d, -d)
	}
	return worst
}

// TestInverseDCT compares with the definition (A.3.3) in float64.
func TestInverseDCT(t *testing.T) {
	var cosines [8][8]float64
	for x := range cosines {
		for u := range cosines[x] {
			cosines[x][u] = math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) / 2
			if u == 0 {
				cosines[x][u] /= math.Sqrt2
			}
		}
	}
	rng := rand.New(rand.NewPCG(2, 2))
	for trial := range 2000 {
		var block [64]int16
		for range 1 + trial%20 {
			block[rng.IntN(64)] = int16(rng.IntN(600) - 300)
		}
		if trial%3 == 0 {
			block = [64]int16{int16(rng.IntN(2048) - 1024)}
		}
		var got, filled [64]byte
		inverseDCT(got[:], 8, &block)
		for y := range 8 {
			for x := range 8 {
				sum := 128.0
				for v := range 8 {
					for u := range 8 {
						sum += cosines[y][v] * cosines[x][u] * float64(block[8*v+u])
					}
				}
				want := min(max(sum, 0), 255)
				if d := math.Abs(float64(got[8*y+x]) - want); !(d <= 0.75) {
					t.Fatalf("block %v: sample %d, %d is %d, want %.3f ± 0.75", block, x, y, got[8*y+x], want)
				}
			}
		}
		fillBlock(filled[:], 8, block[0])
		if trial%3 == 0 && filled != got {
			t.Fatalf("DC %d alone: %d, want %d", block[0], filled[0], got[0])
		}
	}
}

// TestInverseDCTVectors: the vector code gives the Go code's bytes, for blocks
// of every kind, impossible ones among them, and writes nothing beside.
func TestInverseDCTVectors(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this machine or build has no vector code")
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for trial := range 20000 {
		var block [64]int16
		for range 1 + trial%64 {
			block[rng.IntN(64)] = int16(rng.IntN(2<<(trial%15+1)) - 1<<(trial%15+1))
		}
		const stride = 11
		for side, both := range map[int]struct {
			asm  func(out *byte, stride int, block *[64]int16)
			spec func(out []byte, stride int, block *[64]int16)
		}{8: {inverseDCTAVX2, inverseDCTGo}, 4: {inverseDCT4AVX2, inverseDCT4Go}, 2: {inverseDCT2AVX2, inverseDCT2Go}} {
			var got, want [8*stride + 8]byte
			for i := range got {
				got[i], want[i] = 0xa5, 0xa5
			}
			both.spec(want[3:], stride, &block)
			both.asm(&got[3], stride, &block)
			if got != want {
				t.Fatalf("%d×%d samples of block %v: got %v, want %v", side, side, block, got, want)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	whole := testFile(t, "baseline420.jpg")
	progressive := testFile(t, "progressive420.jpg")
	at := func(data []byte, mark byte) int { return bytes.Index(data, []byte{0xff, mark}) }
	// edit returns a copy with bytes replaced n behind a marker.
	edit := func(data []byte, mark byte, n int, with ...byte) []byte {
		data = bytes.Clone(data)
		copy(data[at(data, mark)+n:], with)
		return data
	}
	insert := func(data []byte, mark byte, what ...byte) []byte {
		i := at(data, mark)
		return append(append(bytes.Clone(data[:i]), what...), data[i:]...)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "no SOI"},
		{"start only", whole[:2], "the file ends"},
		{"inside a table", whole[:40], "the file ends"},
		{"inside the pixels", whole[:len(whole)-60], "the file ends in row 2 of 3"},
		{"progressive without its end", progressive[:len(progressive)-2], "the file ends in scan 10"},
		{"no scan", append(bytes.Clone(whole[:at(whole, markSOS)]), 0xff, markEOI), "no scan"},
		{"no frame", append(bytes.Clone(whole[:at(whole, markSOF0)]), 0xff, markEOI), "no frame header"},
		{"scan first", append(bytes.Clone(whole[:2]), whole[at(whole, markSOS):]...), "a scan before the frame header"},
		{"two frames", insert(whole, markSOS, whole[at(whole, markSOF0):at(whole, markSOF0)+19]...), "a second frame header"},
		{"hierarchical", edit(whole, markSOF0, 1, 0xc5), "frame type 0xc5"},
		{"12 bits", edit(whole, markSOF0, 4, 12), "12 bits a sample"},
		{"no pixels", edit(whole, markSOF0, 5, 0, 0), "no pixels"},
		{"hollow", edit(whole, markSOF0, 5, 0xff, 0xff, 0xff, 0xff), "cannot hold 65535×65535 pixels"},
		{"sampling of 0", edit(whole, markSOF0, 11, 0), "sampling 0×0"},
		{"sampling of 3:2", edit(whole, markSOF0, 11, 0x32, 1, 2, 0x21), "not supported"},
		{"2 components", edit(edit(whole, markSOF0, 2, 0, 14), markSOF0, 9, 2), "2 components"},
		{"quantisation table 7", edit(whole, markDQT, 4, 7), "quantisation table 7"},
		{"no quantisation table", edit(whole, markSOF0, 12, 3), "no quantisation table 3"},
		{"huffman class", edit(whole, markDHT, 4, 0x20), "huffman table of class 2"},
		{"huffman overflow", edit(whole, markDHT, 5, 9), "huffman table"},
		{"too many codes", edit(whole, markDHT, 5, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9), "more codes than fit"},
		{"scan of another component", edit(whole, markSOS, 5, 9), "scan of component 9"},
		{"component twice", edit(whole, markSOS, 7, 1), "component 1 twice"},
		{"missing huffman table", edit(whole, markSOS, 6, 0x33), "no huffman table 3"},
		{"bad band", edit(progressive, markSOS, 11, 5, 2), "scan of coefficients 5 to 2"},
		{"marker between segments", insert(whole, markSOF0, 0xff, 0xf0), "marker 0xf0 between segments"},
		{"segment of length 1", insert(whole, markSOF0, 0xff, markDRI, 0, 1), "length 1"},
	} {
		img, err := Decode(c.data, Options{Check: anySize})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v and error %v, want one with %q", c.name, img != nil, err, c.want)
		}
	}
}

// TestDamage: whatever byte of the entropy-coded data changes, decoding ends,
// and where it succeeds the image keeps its size.
func TestDamage(t *testing.T) {
	for _, name := range []string{"baseline420.jpg", "progressive420.jpg", "restart.jpg"} {
		whole := testFile(t, name)
		for i := bytes.Index(whole, []byte{0xff, markSOS}); i < len(whole); i++ {
			data := bytes.Clone(whole)
			data[i] ^= 1 << (i % 8)
			if img, err := Decode(data, Options{Check: anySize}); err == nil && img.Bounds() != image.Rect(0, 0, 51, 37) {
				t.Fatalf("%s: byte %d changed: picture of %v", name, i, img.Bounds())
			}
		}
	}
}

// TestManyScans: a small file cannot ask for endless work.
func TestManyScans(t *testing.T) {
	whole := testFile(t, "progressive420.jpg")
	from := bytes.Index(whole, []byte{0xff, markSOS})
	to := from + bytes.Index(whole[from:], []byte{0xff, markDHT})
	data := bytes.Clone(whole[:to])
	for range maxScans {
		data = append(data, whole[from:to]...)
	}
	if _, err := Decode(data, Options{Check: anySize}); err == nil || !strings.Contains(err.Error(), "more than 200 scans") {
		t.Errorf("got %v, want more than 200 scans", err)
	}
}

// TestColours: which colours a file's markers and component names stand for.
func TestColours(t *testing.T) {
	pixel := [4]byte{100, 150, 200, 30}
	rows := [4][]byte{pixel[:1], pixel[1:2], pixel[2:3], pixel[3:]}
	ycc := [4]byte{201, 41, 139, 255}
	for _, c := range []struct {
		name string
		d    decoder
		ids  string
		want [4]byte
	}{
		{"plain", decoder{}, "\x01\x02\x03", ycc},
		{"named RGB", decoder{}, "RGB", [4]byte{100, 150, 200, 255}},
		{"JFIF named RGB", decoder{jfif: true}, "RGB", ycc},
		{"Adobe RGB", decoder{adobe: true}, "\x01\x02\x03", [4]byte{100, 150, 200, 255}},
		{"Adobe YCC", decoder{adobe: true, transform: 1}, "RGB", ycc},
		{"JFIF and Adobe", decoder{jfif: true, adobe: true}, "\x01\x02\x03", ycc},
		{"inks", decoder{}, "\x01\x02\x03\x04", [4]byte{155, 105, 55, 225}},
		{"Adobe inks", decoder{adobe: true}, "\x01\x02\x03\x04", [4]byte{155, 105, 55, 225}},
		{"Adobe YCCK", decoder{adobe: true, transform: 2}, "\x01\x02\x03\x04", [4]byte{201, 41, 139, 225}},
	} {
		for _, id := range []byte(c.ids) {
			c.d.comps = append(c.d.comps, &component{id: id})
		}
		var got [4]byte
		c.d.conversion()(got[:], &rows)
		if got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestConvertRow: the fixed point rounds as the definition does, to within 1.
func TestConvertRow(t *testing.T) {
	const n = 64 * 64
	luma, cb, cr := make([]byte, n), make([]byte, n), make([]byte, n)
	got := make([]byte, 4*n)
	for v := range 64 {
		for i := range n {
			luma[i], cb[i], cr[i] = byte(4*v+v/16), byte(i<<2|v&3), byte(i>>6<<2|v>>2&3)
		}
		convertRowGo(got, luma, cb, cr)
		for i := range n {
			b, r := float64(cb[i])-128, float64(cr[i])-128
			y := float64(luma[i])
			for c, want := range [3]float64{y + 1.402*r, y - 0.344136*b - 0.714136*r, y + 1.772*b} {
				if d := math.Abs(float64(got[4*i+c]) - min(max(want, 0), 255)); !(d <= 0.51) {
					t.Fatalf("%v %v %v: channel %d is %d, want %.3f ± 0.51", y, cb[i], cr[i], c, got[4*i+c], want)
				}
			}
		}
		if vector := make([]byte, 4*n); hasAVX2 {
			convertRowAVX2(&vector[0], &luma[0], &cb[0], &cr[0], n/16)
			if !bytes.Equal(vector, got) {
				t.Fatalf("luma %d: the vector code differs", luma[0])
			}
		}
	}
	// Every length, and nothing written behind it.
	for n := range 40 {
		got, want := bytes.Repeat([]byte{0xa5}, 4*n+8), bytes.Repeat([]byte{0xa5}, 4*n+8)
		convertRow(got, luma[:n], cb[3:], cr[7:])
		convertRowGo(want, luma[:n], cb[3:], cr[7:])
		if !bytes.Equal(got, want) {
			t.Fatalf("%d pixels: got %v, want %v", n, got, want)
		}
	}
}

// FuzzDecode: no input panics, and one that decodes has the size of its header.
func FuzzDecode(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(paths) == 0 {
		f.Fatal("no files", err)
	}
	for _, path := range paths {
		f.Add(testFile(f, filepath.Base(path)), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, truncated bool) {
		var size image.Point
		check := func(width, height int) error {
			size = image.Pt(width, height)
			if width*height > 1<<18 {
				return errors.New("too large")
			}
			return anySize(width, height)
		}
		img, err := Decode(data, Options{Check: check, Truncated: truncated})
		if err == nil && img.Bounds() != (image.Rectangle{Max: size}) {
			t.Fatalf("picture of %v, want %v", img.Bounds(), size)
		}
	})
}

// FuzzStandardLibrary: what image/jpeg encodes, both decoders agree on.
func FuzzStandardLibrary(f *testing.F) {
	f.Add(uint8(16), uint8(16), uint8(75), uint64(1), false)
	f.Add(uint8(1), uint8(99), uint8(1), uint64(2), true)
	f.Fuzz(func(t *testing.T, width, height, quality uint8, seed uint64, gray bool) {
		rect := image.Rect(0, 0, int(width)%100+1, int(height)%100+1)
		rng := rand.New(rand.NewPCG(seed, 3))
		var src image.Image
		noise := func(pix []byte) {
			level := rng.Uint64()
			for i := range pix {
				if rng.IntN(40) == 0 {
					level = rng.Uint64()
				}
				pix[i] = byte(level) + byte(rng.IntN(8))
			}
		}
		if gray {
			img := image.NewGray(rect)
			noise(img.Pix)
			src = img
		} else {
			img := image.NewRGBA(rect)
			noise(img.Pix)
			src = img
		}
		if d := fromStandard(t, src, int(quality)%100+1); d > 4 {
			t.Fatalf("differs by %d, want at most 4", d)
		}
	})
}
