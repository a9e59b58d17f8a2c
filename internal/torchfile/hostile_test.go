package torchfile

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// TestHostilePickles: whatever a pickle does, all memory that is taken on the way, freed
// or not, is bounded by the file.
func TestHostilePickles(t *testing.T) {
	repeat := strings.Repeat
	const n = 1 << 18 // opcodes, or a part of them
	put := func(i int) string { return "r" + string(binary.LittleEndian.AppendUint32(nil, uint32(i))) }
	var memo, numbered strings.Builder
	for i := range n {
		memo.WriteString(put(i))
		fmt.Fprintf(&numbered, "X%sK\x01", string(binary.LittleEndian.AppendUint32(nil, 6))+fmt.Sprintf("%06d", i))
	}
	long := tuple{}
	for range maxDims {
		long = append(long, int64(1))
	}
	arguments := func(shape tuple) string { // memo 1: the function, 2: its arguments
		var p pickled
		p.value(global(rebuildTensor))
		p.WriteString("q\x01(")
		p.value(tuple{"storage", global("torch.ByteStorage"), "0", "cpu", int64(24)})
		p.WriteByte('Q')
		p.values([]any{int64(0), shape, shape, false, raw("ccollections\nOrderedDict\n)R")})
		p.WriteString("tq\x02R")
		return p.String()
	}
	doubled := "]q\x01" // a list of one list twice, and so on
	for range 60 {
		doubled += "]q\x02(h\x01h\x01eq\x01"
	}
	for name, opcodes := range map[string]string{
		"dicts":              "](" + repeat("}", n) + "e",
		"lists":              "](" + repeat("]", n) + "e",
		"tuples":             repeat(")", 1) + repeat("\x85", n),
		"marks":              repeat("(", n),
		"strings":            "](" + repeat("U\x00", n) + "e",
		"a string too long":  "X\xff\xff\x0f\x00a",
		"numbers":            "](" + repeat("K\x01", n) + "e",
		"memo":               "}" + memo.String(),
		"one thing, named":   "}(" + numbered.String() + "u",
		"tensors":            "](" + arguments(tuple{int64(1)}) + repeat("h\x01h\x02R", n) + "e",
		"tensors of corners": "](" + arguments(long) + repeat("h\x01h\x02R", n) + "e",
		"doubled lists":      doubled,
		"itself":             "]q\x01(h\x01h\x01e",
		"deep dicts":         repeat("}U\x01a", n/2) + "}" + repeat("s", n/2),
		"deep modules":       repeat("c__torch__\nA\n)\x81", 20_000) + "}" + repeat("b", 20_000),
		"long names": "}(" + "X\x00\x00\x01\x00" + repeat("a", 1<<16) + "}(" + numbered.String() + "u" + "u" +
			"U\x01b" + "]((" + arguments(tuple{int64(1)}) + "t" + "es",
		"global of no end": "c" + repeat("a", 1<<20),
		"growing tuples":   "K\x01" + repeat("q\x01\x85h\x01\x86", n),
		"opcodes":          "}" + repeat("q\x01", maxOps+1),
	} {
		for _, file := range [][]byte{
			zipOf(t, entry{name: "x/data.pkl", data: []byte("\x80\x02" + opcodes + ".")}, entry{name: "x/data/0", data: counting(24)}),
			zipOf(t, entry{name: "x/data.pkl", data: []byte("\x80\x02}U\x01a" + opcodes + "s.")}, entry{name: "x/data/0", data: counting(24)}),
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := openBytes(file)
			if err == nil {
				f.Names()
			} else if len(err.Error()) > 2000 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
			runtime.ReadMemStats(&after)
			got := after.TotalAlloc - before.TotalAlloc
			most := uint64(160*len(file) + 1<<20)
			if raceDetector { // which takes memory of its own
				most *= 2
			}
			if got > most || got > 100<<20 {
				t.Errorf("%s: %d bytes of memory for a file of %d, want at most %d and 100 MB", name, got, len(file), most)
			}
		}
	}
}

// TestSharedStorages: tied weights are read, and a storage that thousands of tensors share
// is refused by name.
func TestSharedStorages(t *testing.T) {
	const size = 1 << 19
	view := stored{class: "ByteStorage", key: "0", numel: size, shape: tuple{int64(size)}, stride: tuple{int64(1)}}
	many := func(n int) []byte {
		d := &dict{}
		for i := range n {
			d.items = append(d.items, item{fmt.Sprint("layer", i), view})
		}
		return zipOf(t, entry{name: "x/data.pkl", data: pickleOf(d)}, entry{name: "x/data/0", data: counting(size)})
	}
	if f, err := openBytes(many(3)); err != nil || len(f.Names()) != 3 {
		t.Errorf("three names of one storage: got error %v", err)
	}
	want := `tensors share storages beyond reason: up to "layer5", of storage "0", they have 3145728 bytes`
	if _, err := openBytes(many(1000)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
	small := &dict{}
	for i := range 100 {
		small.items = append(small.items, item{fmt.Sprint(i), bytesTensor("0", 24)})
	}
	if _, err := openBytes(archiveOf(t, small)); err != nil {
		t.Errorf("a small file: got error %v", err)
	}
}

// TestAttack: a file of 2.3 MB whose tensors share one storage, so that they would be 2.5 GB,
// is refused by name, and costs no more than its size.
func TestAttack(t *testing.T) {
	path := golden.Shared(t, "cases", "attack", "torch_shared_storage", "open_clip_pytorch_model.bin")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "share storages beyond reason") {
		t.Errorf("got error %v, want that tensors share storages", err)
	}
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(8*info.Size()); got > most {
		t.Errorf("%d bytes of memory for a file of %d, want at most %d", got, info.Size(), most)
	}
}
