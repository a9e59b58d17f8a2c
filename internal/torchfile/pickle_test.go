package torchfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func runBytes(b []byte) (any, error) {
	in := &input{r: bufio.NewReader(bytes.NewReader(b))}
	return run(in, func(tuple) (*storage, error) { return nil, errors.New("no storages here") })
}

// TestPlainValues: every opcode that makes a value, against Python's meaning.
func TestPlainValues(t *testing.T) {
	for _, c := range []struct {
		code string
		want any
	}{
		{"N", nil}, {"\x88", true}, {"\x89", false},
		{"K\xff", int64(255)}, {"M\x01\xff", int64(0xff01)}, {"J\xff\xff\xff\xff", int64(-1)}, {"J\xff\xff\xff\x7f", int64(math.MaxInt32)},
		{"\x8a\x00", int64(0)}, {"\x8a\x01\x80", int64(-128)}, {"\x8a\x02\x80\x00", int64(128)}, {"\x8a\x03\x00\x00\xff", int64(-65536)},
		{"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80", int64(math.MinInt64)},
		{"G\x3f\xe0\x00\x00\x00\x00\x00\x00", 0.5},
		{"X\x02\x00\x00\x00\xc3\xa9", "é"}, {"U\x01a", "a"},
		{")", tuple{}}, {"K\x01\x85", tuple{int64(1)}}, {"NN\x86", tuple{nil, nil}}, {"K\x01K\x02K\x03\x87", tuple{int64(1), int64(2), int64(3)}},
		{"(K\x01(Ntt", tuple{int64(1), tuple{nil}}},
		{"]", &list{}}, {"]Na", &list{[]any{nil}}}, {"](NNe", &list{[]any{nil, nil}}}, {"](e", &list{}},
		{"}", &dict{}}, {"}NNs", &dict{[]item{{nil, nil}}}}, {"}(U\x01aK\x01U\x01bK\x02u", dictOf("a", int64(1), "b", int64(2))},
		{"U\x01aq\x00h\x00\x86", tuple{"a", "a"}}, {"U\x01ar\xff\xff\xff\xffj\xff\xff\xff\xff\x86", tuple{"a", "a"}},
		{"ctorch\nSize\n(K\x02K\x03t\x85R", tuple{int64(2), int64(3)}},
		{"ctorch\nSize\n](K\x02e\x85R", tuple{int64(2)}},
		{"ctorch.jit._pickle\nbuild_intlist\n](K\x02e\x85R", &list{[]any{int64(2)}}},
		{"ctorch.jit._pickle\nrestore_type_tag\n}U\x09Dict[a,b]\x86R", &dict{}},
		{"ccollections\nOrderedDict\n)RU\x01aNs", dictOf("a", nil)},
		{"c__torch__.a.b\nC\n)\x81}b", &object{"__torch__.a.b.C", &dict{}}},
		{"ctorch\nLongStorage\n", global("torch.LongStorage")},
	} {
		got, err := runBytes([]byte("\x80\x02" + c.code + "."))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %#v and error %v, want %#v", c.code, got, err, c.want)
		}
	}
}

// TestRefusedGlobals: what is not on the allow-list is refused and named, near
// misses included.
func TestRefusedGlobals(t *testing.T) {
	for _, g := range []string{
		"os.system", "posix.system", "builtins.eval", "__builtin__.getattr", "subprocess.Popen", "torch.load",
		"torch._utils._rebuild_tensor_v3", "torch.storage._load_from_bytes", "torch.UntypedStorage", "torch.ComplexFloatStorage",
		"collections.defaultdict", "numpy.core.multiarray._reconstruct", "codecs.encode", "torch.float32",
		"collections.OrderedDict.fromkeys", "x__torch__.a.B", "__torch__x.B", "torch.Size\t", ".",
	} {
		_, err := openBytes(archiveOf(t, dictOf("a", global(g))))
		want := "global " + strconv.Quote(g) + " is not on the allow-list"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %s", err, want)
		}
	}
}

// TestRefusedPickles: each way to leave the machine's rules, with its message.
func TestRefusedPickles(t *testing.T) {
	big := binary.LittleEndian.AppendUint32(nil, math.MaxUint32)
	for _, c := range []struct{ name, code, want string }{
		{"empty", "", "pickle at byte 2: unexpected EOF"},
		{"protocol", "\x80\x04", "protocol 4, want 2"},
		{"opcode", "i", "opcode 0x69 is not one that PyTorch writes"},
		{"frame", "\x95", "opcode 0x95"},
		{"stack global", "\x93", "opcode 0x93"},
		{"extension", "\x82\x01", "opcode 0x82"},
		{"stop on nothing", ".", "it stops with 0 values and 0 marks"},
		{"stop on two", "NN.", "it stops with 2 values"},
		{"stop on a mark", "N(.", "it stops with 1 values and 1 marks"},
		{"string cut short", "X\x05\x00\x00\x00abc", "unexpected EOF"},
		{"huge string", "X" + string(big), "a string of 4294967295 bytes exceeds 1048576"},
		{"long integer", "\x8a\x09", "an integer of 9 bytes, want at most 8"},
		{"float cut short", "G\x00", "unexpected EOF"},
		{"endless global", "c" + strings.Repeat("a", 5000), "buffer full"},
		{"tuple of nothing", "t", "no mark"},
		{"tuple of too few", "N\x86", "the stack is empty"},
		{"tuple below a mark", "N(\x85", "the stack is empty"},
		{"append to nothing", "Na", "the stack is empty"},
		{"append below a mark", "](NNa", "items for None, want a list or a dict"},
		{"appends to an int", "K\x01(Ne", "items for an int"},
		{"odd dict", "}(Nu", "a dict's items end with a key"},
		{"memo of nothing", "q\x00", "the stack is empty"},
		{"missing memo", "h\x07", "nothing is stored under 7"},
		{"call of an int", "K\x01)R", "a call of an int with a tuple"},
		{"call with a list", "ctorch\nSize\n]R", "a call of torch.Size with a list"},
		{"call of a storage", "ctorch\nLongStorage\n)R", "torch.LongStorage cannot be called with 0 arguments"},
		{"call of a class", "c__torch__.a\nB\n)R", "__torch__.a.B cannot be called"},
		{"ordered dict of a list", "ccollections\nOrderedDict\n]\x85R", "collections.OrderedDict cannot be called with 1 arguments"},
		{"typed list of two", "ctorch.jit._pickle\nbuild_intlist\n]]\x86R", "torch.jit._pickle.build_intlist cannot be called with 2 arguments"},
		{"size of an int", "ctorch\nSize\nK\x01\x85R", "a size of an int"},
		{"parameter of an int", "ctorch._utils\n_rebuild_parameter\nK\x01\x88N\x87R", "a parameter of an int, want a tensor"},
		{"new dict", "ccollections\nOrderedDict\n)\x81", "an object of collections.OrderedDict, want a TorchScript class"},
		{"new object with arguments", "c__torch__.a\nB\nN\x85\x81", "want a TorchScript class and no arguments"},
		{"state of a list", "]}b", "a state for a list"},
		{"state twice", "c__torch__.a\nB\n)\x81}b}b", "an object gets its state twice"},
		{"persistent id", "K\x01Q", "persistent id an int, want a tuple"},
		{"many opcodes", strings.Repeat("]", maxOps), "pickle exceeds 524288 opcodes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := runBytes([]byte("\x80\x02" + c.code))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestRefusedTensors: a tensor that its storage does not hold is refused before
// anything of its size is allocated.
func TestRefusedTensors(t *testing.T) {
	base := stored{class: "FloatStorage", key: "0", numel: 6, shape: tuple{2, 3}, stride: tuple{3, 1}}
	edit := func(f func(*stored)) stored { c := base; f(&c); return c }
	for _, c := range []struct {
		want  string
		value any
	}{
		{"leave storage", edit(func(c *stored) { c.offset = 1 })},
		{"leave storage", edit(func(c *stored) { c.offset = -1 })},
		{"leave storage", edit(func(c *stored) { c.offset = math.MaxInt64 })},
		{"leave storage", edit(func(c *stored) { c.stride = tuple{4, 1} })},
		{"leave storage", edit(func(c *stored) { c.stride = tuple{math.MaxInt, 1} })},
		{"leave storage", edit(func(c *stored) { c.shape, c.stride = tuple{2, 2}, tuple{math.MaxInt, math.MaxInt} })},
		{"leave storage", edit(func(c *stored) { c.shape, c.offset = tuple{0, 3}, 7 })},
		{"stride: -3 is out of range", edit(func(c *stored) { c.stride = tuple{-3, 1} })},
		{"shape: -2 is out of range", edit(func(c *stored) { c.shape = tuple{-2, 3} })},
		{"shape: a string, want an int", edit(func(c *stored) { c.shape = tuple{"2", 3} })},
		{"shape [2 3] with stride [1]", edit(func(c *stored) { c.stride = tuple{1} })},
		{"shape: 65 dimensions, at most 8 are read", edit(func(c *stored) { c.shape = make(tuple, 65) })},
		{"more elements than its storage", edit(func(c *stored) { c.shape, c.stride = tuple{7}, tuple{0} })},
		{"more elements than its storage", edit(func(c *stored) { c.shape, c.stride = tuple{math.MaxInt / 4}, tuple{0} })},
		{"overflows", edit(func(c *stored) { c.shape, c.stride = tuple{math.MaxInt, 2}, tuple{0, 0} })},
		{"overflows", edit(func(c *stored) { c.numel = math.MaxInt })},
		{`storage "0" has length -1`, edit(func(c *stored) { c.numel = -1 })},
		{`storage "0" has 24 bytes, but 7 of F32 need 28`, edit(func(c *stored) { c.numel = 7 })},
		{`storage "0" has 24 bytes, but 6 of F64 need 48`, edit(func(c *stored) { c.class = "DoubleStorage" })},
		{`no entry "x/data/../version"`, edit(func(c *stored) { c.key = "../version" })},
		{"persistent id of 6 fields, want 5", edit(func(c *stored) { c.legacy = true })},
		{`storage "0" is both 6 of F32 and 6 of I32`, tuple{base, edit(func(c *stored) { c.class = "IntStorage" })}},
		{"persistent id (a string, torch.Size, a string, …, an int)", edit(func(c *stored) { c.class = "Size" })},
		{"storage and offset are an int and an int", raw("ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x00))\x89NtR")},
		{"cannot be called with 5 arguments", raw("ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x00))\x89tR")},
	} {
		if _, err := openBytes(archiveOf(t, dictOf("a", c.value))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got error %v, want one with %q", c.value, err, c.want)
		}
	}
}

// TestRefusedNames: values that hold themselves, or share parts so that their
// names explode, end in an error and not in exhaustion.
func TestRefusedNames(t *testing.T) {
	var bomb strings.Builder // ten entries of the level below, thirty levels
	bomb.WriteString("}q\x00")
	for level := range 30 {
		bomb.WriteString("}q" + string(rune(level+1)) + "(")
		for key := range 10 {
			bomb.WriteString("K" + string(rune(key)) + "h" + string(rune(level)))
		}
		bomb.WriteString("u")
	}
	key := string(pickleOf(strings.Repeat("k", maxString)))
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"bomb":        {raw("(" + bomb.String() + "t"), "nested or shared beyond reason"},
		"cycle":       {raw("}q\x00(U\x01ah\x00u"), "nested or shared beyond reason"},
		"own state":   {raw("c__torch__.a\nB\n)\x81q\x00h\x00b"), "nested or shared beyond reason"},
		"list cycle":  {raw("]q\x00h\x00a"), "nested or shared beyond reason"},
		"long names":  {raw("}q\x00(" + key[2:len(key)-1] + "h\x00u"), "nested or shared beyond reason"},
		"shared list": {tuple{raw("](K\x01K\x02K\x03K\x04eq\x00"), &list{[]any{raw(strings.Repeat("h\x00", 300))}}}, "nested or shared beyond reason"},
		"same name":   {dictOf("a", dictOf("b", bytesTensor("1", 2)), "a.b", bytesTensor("1", 2)), `two tensors are named "x.a.b"`},
		"same key":    {dictOf("a", bytesTensor("1", 2), "a", bytesTensor("1", 2)), `two tensors are named "x.a"`},
		"key of None": {dictOf(nil, bytesTensor("1", 2)), `"x": a key is None, want a string or an int`},
	} {
		if _, err := openBytes(archiveOf(t, dictOf("x", c.value))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", name, err, c.want)
		}
	}
}
