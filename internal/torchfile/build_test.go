package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"testing"
)

// pickled builds the pickle of a value of this package's types, as Python's
// pickler spells it without memo. An ordered dict gets an attribute, as
// state_dict() gives it one.
type pickled struct{ bytes.Buffer }

type (
	ordered map[string]any // one key, so that the order is certain
	stored  struct {       // a tensor
		class, key        string
		numel, offset     int64
		shape, stride     tuple
		parameter, legacy bool
	}
	raw    string // opcodes as they are
	module struct {
		class string
		state any
	}
)

func pickleOf(v any) []byte {
	var p pickled
	p.WriteString("\x80\x02")
	p.value(v)
	p.WriteByte('.')
	return p.Bytes()
}

func (p *pickled) value(v any) {
	switch v := v.(type) {
	case raw:
		p.WriteString(string(v))
	case nil:
		p.WriteByte('N')
	case bool:
		p.WriteString(map[bool]string{true: "\x88", false: "\x89"}[v])
	case int:
		p.value(int64(v))
	case int64:
		p.WriteString("\x8a\x08")
		p.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
	case float64:
		p.WriteByte('G')
		p.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
	case string:
		p.WriteByte('X')
		p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(v))))
		p.WriteString(v)
	case tuple:
		p.WriteByte('(')
		p.values(v)
		p.WriteByte('t')
	case *list:
		p.WriteString("](")
		p.values(v.items)
		p.WriteByte('e')
	case *dict:
		p.WriteString("}(")
		for _, it := range v.items {
			p.values([]any{it.key, it.value})
		}
		p.WriteByte('u')
	case ordered:
		p.value(global(orderedDict))
		p.WriteString(")R(")
		for k, e := range v {
			p.values([]any{k, e})
		}
		p.WriteByte('u')
		p.value(&dict{items: []item{{"_metadata", &dict{}}}})
		p.WriteByte('b')
	case module:
		p.value(global(v.class))
		p.WriteString(")\x81")
		p.value(v.state)
		p.WriteByte('b')
	case global:
		module, name := string(v), ""
		if i := strings.LastIndex(module, "."); i >= 0 {
			module, name = module[:i], module[i+1:]
		}
		p.WriteString("c" + module + "\n" + name + "\n")
	case stored:
		p.tensor(v)
	}
}

func (p *pickled) values(vs []any) {
	for _, v := range vs {
		p.value(v)
	}
}

func (p *pickled) tensor(c stored) {
	id := tuple{"storage", global("torch." + c.class), c.key, "cuda:0", c.numel}
	if c.legacy {
		id = append(id, nil)
	}
	if c.parameter {
		p.value(global(rebuildParameter))
		p.WriteByte('(')
	}
	p.value(global(rebuildTensor))
	p.WriteByte('(')
	p.value(id)
	p.WriteByte('Q')
	p.values([]any{c.offset, c.shape, c.stride, false, raw("ccollections\nOrderedDict\n)R")})
	p.WriteString("tR")
	if c.parameter {
		p.values([]any{true, raw("ccollections\nOrderedDict\n)R")})
		p.WriteString("tR")
	}
}

func dictOf(pairs ...any) *dict {
	d := &dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.items = append(d.items, item{pairs[i], pairs[i+1]})
	}
	return d
}

// entry is one file of a zip archive.
type entry struct {
	name   string
	data   []byte
	method uint16
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err == nil {
			_, err = w.Write(e.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// counting is n bytes 0, 1, 2 …
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// archiveOf is a torch.save archive of a value over the storages 0 of 24 bytes
// and 1 of 2 bytes.
func archiveOf(t testing.TB, value any) []byte {
	return zipOf(t, entry{name: "x/data.pkl", data: pickleOf(value)},
		entry{name: "x/data/0", data: counting(24)}, entry{name: "x/data/1", data: counting(2)},
		entry{name: "x/version", data: []byte("3\n")}, entry{name: "x/byteorder", data: []byte("little")})
}

// legacyOf is the legacy container of a value over the given storages of bytes.
func legacyOf(value any, system any, storages ...[]byte) []byte {
	keys := &list{}
	var data []byte
	for i, s := range storages {
		keys.items = append(keys.items, strconv.Itoa(i))
		data = append(binary.LittleEndian.AppendUint64(data, uint64(len(s))), s...)
	}
	b := []byte(legacyMagic)
	for _, v := range []any{legacyProtocol, system, value, keys} {
		b = append(b, pickleOf(v)...)
	}
	return append(b, data...)
}

func little() *dict { return dictOf("protocol_version", 1001, "little_endian", true) }

func openBytes(b []byte) (*File, error) {
	return OpenReader(bytes.NewReader(b), int64(len(b)), "x.pt")
}

// bytesTensor is a whole storage of n bytes.
func bytesTensor(key string, n int64) stored {
	return stored{class: "ByteStorage", key: key, numel: n, shape: tuple{n}, stride: tuple{1}}
}
