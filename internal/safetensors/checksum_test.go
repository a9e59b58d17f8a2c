package safetensors

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/tensorfile"
)

// summed returns a file with checksums: types of every size, an empty tensor
// and one of several reads.
func summed(t *testing.T) []byte {
	t.Helper()
	long := make([]float32, 20_000)
	for i := range long {
		long[i] = float32(i) / 7
	}
	tensors := []Tensor{
		{Name: "b", Shape: []int{2}, Float32: []float32{1, 2}},
		{Name: "a", Shape: []int{200, 100}, Float32: long},
		{Name: "h", Shape: []int{3}, DType: tensorfile.F16, Float32: []float32{1, 2, 3}},
		{Name: "n", DType: tensorfile.I64, Raw: make([]byte, 8)},
		{Name: "none", Shape: []int{0}, DType: tensorfile.F32},
	}
	sums, err := Checksums(tensors)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, tensors, map[string]string{"format": "pt", ChecksumKey: sums}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestChecksumValue: the check value of CRC-32C, over the bytes "123456789", is
// 0xe3069283 (RFC 3720 names the polynomial).
func TestChecksumValue(t *testing.T) {
	got, err := Checksums([]Tensor{
		{Name: "b", Shape: []int{9}, DType: tensorfile.U8, Raw: []byte("123456789")},
		{Name: "a", Shape: []int{0}, DType: tensorfile.U8},
	})
	if want := "00000000" + "e3069283"; got != want || err != nil {
		t.Errorf("got %q, %v, want %q, in the order of the data", got, err, want)
	}
	if _, err := Checksums([]Tensor{{Name: "a", Shape: []int{2}, Float32: []float32{1}}}); err == nil {
		t.Error("a misshapen tensor has a checksum")
	}
}

// TestFlippedBits: whichever bit of the data differs, every way of reading the
// tensor it is in fails, mapped or not, and the others can be read.
func TestFlippedBits(t *testing.T) {
	good := summed(t)
	f, err := openBytes(good)
	if err != nil {
		t.Fatal(err)
	}
	if m := f.Metadata(); len(m) != 1 || m["format"] != "pt" {
		t.Errorf("metadata: got %v, want the format alone", m)
	}
	for _, name := range f.Names() {
		if _, err := f.Bytes(name); err != nil {
			t.Errorf("unchanged: %v", err)
		}
	}
	data := len(good) - 8 - 80_000 - 8 - 6
	for _, c := range []struct {
		at   int
		name string
	}{{data, "n"}, {data + 7, "n"}, {data + 8, "a"}, {data + 8 + 79_999, "a"}, {data + 8 + 40_000, "a"}, {data + 80_008, "b"}, {len(good) - 1, "h"}} {
		for bit := range 8 {
			bad := slices.Clone(good)
			bad[c.at] ^= 1 << bit
			read, err := openBytes(bad)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "x.safetensors")
			if err := os.WriteFile(path, bad, 0o666); err != nil {
				t.Fatal(err)
			}
			mapped, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []*File{read, mapped} {
				checkReads(t, f, c.name)
			}
			mapped.Close()
		}
	}
}

// checkReads reads every tensor of f in every way and expects that only the one
// called bad fails.
func checkReads(t *testing.T, f *File, bad string) {
	t.Helper()
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		_, errBytes := f.Bytes(name)
		errs := []error{errBytes}
		if info.DType.Float() {
			errs = append(errs, f.Float32(name, make([]float32, info.Len())))
		} else {
			_, err := f.Ints(name)
			errs = append(errs, err)
		}
		for _, err := range errs {
			if errors.Is(err, ErrChecksum) != (name == bad) {
				t.Errorf("%s: got error %v; differs: %v", name, err, name == bad)
			}
			if err != nil && (!strings.Contains(err.Error(), "x.safetensors: tensor \""+bad+"\": ")) {
				t.Errorf("got error %v, want one that names the file and tensor %q", err, bad)
			}
		}
		if _, ok := f.View(name); ok && name == bad {
			t.Errorf("%s has a view", name)
		}
	}
}

// TestChecksumRefusals: checksums that cannot be are found on opening the file.
func TestChecksumRefusals(t *testing.T) {
	for sums, want := range map[string]string{
		"":         `metadata "goclip.crc32c": 0 digits for 1 tensors, want 8 each`,
		"00000000": "",
		"0000000":  "7 digits for 1 tensors",
		"0000000g": `metadata "goclip.crc32c": strconv.ParseUint: parsing "0000000g": invalid syntax`,
		"+1234567": "invalid syntax",
	} {
		_, err := openBytes(image(`{"__metadata__":{"goclip.crc32c":"`+sums+`"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %q", sums, err, want)
		}
	}
}

func BenchmarkChecksum(b *testing.B) {
	f, err := openBytes(image(`{"a":{"dtype":"F32","shape":[4194304],"data_offsets":[0,16777216]}}`, 1<<24))
	if err != nil {
		b.Fatal(err)
	}
	f.sources[0].mapped = true
	f.sources[0].r = tensorfile.Bytes(make([]byte, 1<<25))
	b.SetBytes(1 << 24)
	for b.Loop() {
		if _, err := f.tensors["a"].checksum(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestVerify passes a file that is whole and no other: wherever a bit of it
// differs, header included, and wherever it is cut.
func TestVerify(t *testing.T) {
	good := summed(t)
	verify := func(b []byte) error {
		f, err := openBytes(b)
		if err != nil {
			return err
		}
		return f.Verify()
	}
	if err := verify(good); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	names, err := openBytes(good)
	if err != nil {
		t.Fatal(err)
	}
	header := len(good) - 8 - 80_000 - 8 - 6
	for at := 0; at < header; at++ {
		for bit := range 8 {
			bad := slices.Clone(good)
			bad[at] ^= 1 << bit
			f, err := openBytes(bad)
			if err == nil {
				err = f.Verify()
			}
			// A name may differ, of a tensor or of metadata, which whoever asks for it notices.
			if err == nil && slices.Equal(f.Names(), names.Names()) && f.Metadata()["format"] == "pt" {
				t.Errorf("bit %d of byte %d of the header flipped: got no error", bit, at)
			}
		}
	}
	for at := header; at < len(good); at += 997 {
		bad := slices.Clone(good)
		bad[at] ^= 4
		if err := verify(bad); !errors.Is(err, ErrChecksum) {
			t.Errorf("byte %d flipped: got error %v, want %v", at, err, ErrChecksum)
		}
		if err := verify(good[:at]); err == nil {
			t.Errorf("cut to %d bytes: got no error", at)
		}
	}
	var plain bytes.Buffer
	if err := Write(&plain, []Tensor{{Name: "a", Shape: []int{1}, Float32: []float32{1}}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := verify(plain.Bytes()); err == nil || !strings.Contains(err.Error(), `tensor "a": the file has no checksum of it`) {
		t.Errorf("without checksums: got error %v", err)
	}
}
